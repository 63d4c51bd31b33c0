"""Everything wlat reads, in one place to scroll through."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from wlat_tui.mitigations.refusals import refusals
from wlat_tui.model.facts import host_facts, node_facts, writer_facts, zone_table
from wlat_tui.model.nodes import NodeState
from wlat_tui.model.session import Session
from wlat_tui.renderables.facts import facts_lines, table_lines
from wlat_tui.renderables.glyphs import Glyphs, to_ascii
from wlat_tui.renderables.line import Line, merged
from wlat_tui.theme import role_styles

_LATEST = 8
_EVERY_NS = 1_000_000_000
_FRAME_CELLS = 8


class DetailsScreen(ModalScreen[None]):
    """Refused settings, host, nodes with their zones, writer, latest notices; once a second, while it is open."""

    BINDINGS: ClassVar = [Binding("escape,q,d", "dismiss", "Close the details")]

    def __init__(self, session: Session, glyphs: Glyphs) -> None:
        super().__init__()
        self._session = session
        self._glyphs = glyphs
        self._at_ns: int | None = None
        self._drawn = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="details"):
            with VerticalScroll(id="text"):
                yield Static(id="facts")
            yield Static(Text("Up Down  scroll      z  read zones now      Esc  close", style="bold"), classes="keys")

    def on_mount(self) -> None:
        self.query_one("#text").focus()

    def on_resize(self, event: events.Resize) -> None:
        self._draw(event.size.width)

    def follow(self) -> None:
        """Show the session's present state, at most once a second."""
        if self.is_mounted and (self._at_ns is None or self._session.now_ns - self._at_ns >= _EVERY_NS):
            self._draw(self.size.width)

    def _draw(self, width: int) -> None:
        self._at_ns = self._session.now_ns
        text = self.text(width * 96 // 100 - _FRAME_CELLS)
        if text.markup != self._drawn:
            self._drawn = text.markup
            self.query_one("#facts", Static).update(text)

    def text(self, width: int) -> Text:
        """All of it, for lines of *width* cells."""
        styles = role_styles(self.app)
        text = Text()
        for line in self._lines(width):
            for part, role in line:
                text.append(to_ascii(part) if self._glyphs.full.isascii() else part, styles.get(role))
            text.append("\n")
        text.rstrip()
        return text

    def _lines(self, width: int) -> Iterable[Line]:
        session = self._session
        page_bytes = None if session.host is None else session.host.page_bytes
        for refusal in refusals(session):
            yield merged([("refused: ", "warn"), (f"{refusal.name}: {refusal.reason}", "")])
            if refusal.fix is not None:
                yield merged([("  what helps: ", "label"), (refusal.fix, "heading")])
        yield from facts_lines(host_facts(session), width)
        for node in session.nodes.values():
            yield ()
            yield from self._node(node, page_bytes, width)
        yield ()
        yield from facts_lines(writer_facts(session), width)
        yield ()
        yield (("latest notices", "label"),)
        for notice in list(session.notices)[-_LATEST:][::-1] or ():
            yield ((f"  {(session.now_ns - notice.at_ns) / 1e9:.0f}s ago: {notice.text}", ""),)
        if not session.notices:
            yield (("  none", "dim"),)

    def _node(self, node: NodeState, page_bytes: int | None, width: int) -> Iterable[Line]:
        shape = node.shape
        cpus = "CPUs n/a" if shape is None else f"{len(shape.cpus)} CPUs" if shape.cpus else "no CPU"
        far = "" if shape is None else " ".join(f"{other}:{distance}" for other, distance in shape.distances.items())
        yield merged([(f"node {node.node}", "heading"), (f"  {cpus}  distances {far or 'n/a'}", "dim")])
        if node.empty is not None or not node.online:
            yield ((f"  {node.empty or 'offline now; these are its last values'}", "dim"),)
            if node.empty is not None:
                return
        yield from facts_lines(node_facts(node, page_bytes), width, 2)
        age = "not read yet (z)" if node.zones_age_ns is None else f"read {node.zones_age_ns / 1e9:.0f}s ago"
        yield ((f"  zones, {age}", "label"),)
        yield from table_lines(zone_table(node, page_bytes), 4)
