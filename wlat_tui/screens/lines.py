"""A large dialog of lines to scroll through, drawn from the session once a second while it is open."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from wlat_tui.model.session import Session
from wlat_tui.renderables.glyphs import Glyphs, to_ascii
from wlat_tui.renderables.line import Line
from wlat_tui.theme import role_styles

_EVERY_NS = 1_000_000_000
_FRAME_CELLS = 8


class LinesScreen(ModalScreen[None]):
    """A subclass says what it shows in `lines` and which keys it has in ``hint``."""

    hint: ClassVar[str]

    def __init__(self, session: Session, glyphs: Glyphs) -> None:
        super().__init__()
        self._session = session
        self._glyphs = glyphs
        self._at_ns: int | None = None
        self._drawn = ""

    def lines(self, width: int) -> Iterable[Line]:
        """All of it, for lines of *width* cells."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="details"):
            with VerticalScroll(id="text"):
                yield Static(id="facts")
            yield Static(Text(self.hint, style="bold"), classes="keys")

    def on_mount(self) -> None:
        self.query_one("#text").focus()
        self.redraw(self.app.size.width)

    def on_resize(self, event: events.Resize) -> None:
        self.redraw(event.size.width)

    def follow(self) -> None:
        """Show the session's present state, at most once a second."""
        if self.is_mounted and (self._at_ns is None or self._session.now_ns - self._at_ns >= _EVERY_NS):
            self.redraw(self.size.width)

    def redraw(self, width: int) -> None:
        """Draw what differs. Its size may be told before it has anything to draw on: then `on_mount` does."""
        if not self.query("#facts"):
            return
        self._at_ns = self._session.now_ns
        text = self.text(width * 96 // 100 - _FRAME_CELLS)
        if text.markup != self._drawn:
            self._drawn = text.markup
            self.query_one("#facts", Static).update(text)

    def text(self, width: int) -> Text:
        """The lines in the colours of the theme."""
        styles = role_styles(self.app)
        text = Text()
        for line in self.lines(width):
            for part, role in line:
                text.append(to_ascii(part) if self._glyphs.full.isascii() else part, styles.get(role))
            text.append("\n")
        text.rstrip()
        return text
