"""The row of keys at the bottom."""

from __future__ import annotations

from typing import ClassVar

from wlat_tui.model.session import Session
from wlat_tui.panels.panel import Panel
from wlat_tui.renderables.line import Line, Span, merged

_HINTS = (
    ("?", "help"),
    ("q", "quit"),
    ("Tab", "panel"),
    ("Enter", "open"),
    ("5", "stalls"),
    ("w", "who"),
    ("3", "mitigations"),
    ("p", "pause"),
    ("d", "details"),
    ("v", "response/service"),
    ("4", "chart"),
    ("+-", "zoom"),
    ("[]", "threshold"),
    ("n", "next stall"),
    ("/", "one cause"),
    ("t", "theme"),
    ("s", "screenshot"),
    ("z", "read zones"),
    ("b", "low-bandwidth"),
    ("^p", "palette"),
)


class KeysPanel(Panel, can_focus=False):
    """The keys that fit, most useful first."""

    title: ClassVar[str] = "Keys"
    key: ClassVar[str] = ""
    help: ClassVar[str] = "The most useful keys; ? shows all."

    def take(self, session: Session) -> None:
        """Nothing of the session is shown here."""

    def _heading(self, width: int) -> Line:
        spans: list[Span] = []
        used = 0
        for key, text in _HINTS:
            used += len(key) + len(text) + 3
            if used > width:
                break
            spans += [(f" {key}", "heading"), (f" {text} ", "label")]
        return merged(spans)

    def body(self, width: int, height: int) -> list[Line]:
        return []
