"""Colours for the roles of text, taken from the terminal theme in force."""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style
from textual.app import App
from textual.color import Color, ColorParseError

from wlat_tui.renderables.line import Role

_PLAIN: dict[Role, str] = {
    "dim": "dim",
    "heading": "bold",
    "focus": "bold reverse",
    "cursor": "reverse",
    "notice": "bold",
    "warn": "bold",
    "bad": "bold reverse",
    "worst": "bold",
    "mark": "bold",
    "scale": "bold",
    **dict.fromkeys(("memory", "lock", "filesystem", "scheduler", "interrupt", "host"), "bold"),
}
"""Without colour, weight alone must carry the meaning (NO_COLOR)."""
_COLOURED: dict[Role, tuple[str, str]] = {
    # role: (variable of the Textual theme, further attributes)
    "heading": ("primary", "bold"),
    "focus": ("accent", "bold"),
    "cursor": ("accent", "reverse"),
    "good": ("success", ""),
    "notice": ("warning", ""),
    "warn": ("warning", "bold"),
    "bad": ("error", "bold reverse"),
    "worst": ("error", "bold"),
    "mark": ("accent", "bold"),
    "scale": ("foreground", "bold"),
    "node0": ("primary", ""),
    "node1": ("warning", ""),
    "node2": ("success", ""),
    "node3": ("error", ""),
    "node4": ("secondary", ""),
    "node5": ("accent", ""),
}


_FAMILIES: dict[Role, tuple[str, str]] = {
    # role: (for mixed colours, for the terminal's own): apart from each other and from good and bad in every theme
    "memory": ("#b660e0", "ansi_bright_magenta"),
    "lock": ("#e0902a", "ansi_bright_yellow"),
    "filesystem": ("#3d8fe0", "ansi_bright_blue"),
    "scheduler": ("#1fa8b8", "ansi_bright_cyan"),
    "interrupt": ("#b08968", "ansi_yellow"),
    "host": ("#8a93a6", "ansi_white"),
}


def role_styles(app: App[object]) -> dict[Role, Style]:
    """Styles for every role under the app's present theme."""
    if app.no_color:
        return {role: Style.parse(text) for role, text in _PLAIN.items()}
    variables = app.theme_variables
    styles = {role: _style(variables.get(name, ""), more) for role, (name, more) in _COLOURED.items()}
    foreground, background = Color.parse(variables["foreground"]), Color.parse(variables["background"])
    native = foreground.ansi is not None or background.ansi is not None
    styles.update({role: _style(names[native], "bold") for role, names in _FAMILIES.items()})
    for role, share in _FADED.items():
        styles[role] = Style(dim=True) if native else Style(color=foreground.blend(background, share).rich_color)
    return styles


_FADED: dict[Role, float] = {"label": 0.3, "dim": 0.45, "threshold": 0.6}
"""How far towards the background; native ANSI colours cannot be mixed and become dim."""


@lru_cache(128)
def _style(value: str, more: str) -> Style:
    attributes = Style.parse(more) if more else Style()
    try:
        colour = Color.parse(value)
    except ColorParseError:
        return attributes + (Style(dim=True) if value.startswith("auto") else Style())
    return Style(color=colour.rich_color) + attributes
