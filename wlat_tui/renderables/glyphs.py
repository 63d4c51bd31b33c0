"""The characters that pictures are made of, for UTF-8 terminals and for those that are not."""

from __future__ import annotations

import locale
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One set of characters, all of them one cell wide."""

    levels: str
    """Nothing to a full cell, in equal steps."""
    full: str
    empty: str
    rule: str
    threshold: str
    gap: str
    mark: str
    axis: str
    axis_tick: str
    up: str
    down: str
    steady: str
    closed: str
    opened: str
    beyond: str
    bullet: str
    separator: str
    ellipsis: str
    arrow: str
    plot_marker: str
    """Marker name for plotext."""


UNICODE = Glyphs(
    levels=" ▁▂▃▄▅▆▇█",
    full="█",
    empty="░",
    rule="─",
    threshold="┄",
    gap="×",  # noqa: RUF001 - this is the sign that is meant
    mark="▼",
    axis="│",
    axis_tick="┤",
    up="▲",
    down="▼",
    steady="▬",
    closed="▸",
    opened="▾",
    beyond="»",
    bullet="●",
    separator="·",
    ellipsis="…",
    arrow="→",
    plot_marker="braille",
)
ASCII = Glyphs(
    levels=" .:#",
    full="#",
    empty=".",
    rule="-",
    threshold="-",
    gap="x",
    mark="v",
    axis="|",
    axis_tick="+",
    up="^",
    down="v",
    steady="=",
    closed=">",
    opened="v",
    beyond=">",
    bullet="*",
    separator="|",
    ellipsis="~",
    arrow=">",
    plot_marker="*",
)


def terminal_is_utf8() -> bool:
    """What the locale says. Python's own encoding does not tell: it is UTF-8 under LC_ALL=C too (PEP 538, PEP 540)."""
    setting = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE") or os.environ.get("LANG") or ""
    _, _, encoding = setting.partition(".")
    if encoding:
        return encoding.partition("@")[0].lower().replace("-", "") == "utf8"
    if setting in ("", "C", "POSIX"):
        return False
    return locale.normalize(setting).lower().endswith(("utf-8", "utf8"))


def choose(ascii_only: bool | None) -> Glyphs:
    """The set that was asked for, or what the locale allows (None)."""
    return ASCII if ascii_only or (ascii_only is None and not terminal_is_utf8()) else UNICODE


def to_ascii(text: str) -> str:
    """The nearest ASCII text of the same width in characters; what has no likeness becomes ``?``."""
    if text.isascii():
        return text
    return text.translate(_LIKENESS).encode("ascii", "replace").decode("ascii")


def printable(text: str) -> str:
    """What came from outside without what could steer a terminal or turn a line around; ``?`` instead."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else "?" for letter in text)


_LIKENESS = str.maketrans(
    {
        **dict.fromkeys("─━▔▁═", "-"),
        **dict.fromkeys("│┃▏▕▎▍║▌▐", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯▖▗▘▝", "+"),
        **dict.fromkeys("█▇▆▅▄▃▂▀▊▋▉░▒▓", "#"),
        **dict.fromkeys("•●·◦", "*"),
        "…": "~",
        "→": ">",
        "←": "<",
        "↑": "^",
        "↓": "v",
        "×": "x",  # noqa: RUF001
        "µ": "u",
        "–": "-",  # noqa: RUF001
        "—": "-",
        "’": "'",  # noqa: RUF001
        "✓": "+",
    }
)
