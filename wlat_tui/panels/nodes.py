"""Each NUMA node's free memory against its watermarks."""

from __future__ import annotations

from typing import ClassVar

from wlat_tui.model.facts import node_facts
from wlat_tui.model.nodes import NodeState, ZoneState
from wlat_tui.model.session import Session
from wlat_tui.panels.rows import RowsPanel
from wlat_tui.renderables.facts import facts_lines
from wlat_tui.renderables.line import Line, Span, fit, merged
from wlat_tui.renderables.node_bar import STATE_ROLES, STATE_WORDS, node_bar, trend_glyph
from wlat_tui.units import format_bytes

_WORD_CELLS = 10
_COMPACT_BAR_CELLS = 11
_COMPACT_CELLS = 26
"""Number, marks, bar, free, trend and a blank between two nodes."""


class NodesPanel(RowsPanel):
    """A row per node, more rows where one is opened; several nodes in a row where there are more than rows."""

    title: ClassVar[str] = "NUMA nodes"
    key: ClassVar[str] = "2"
    help: ClassVar[str] = (
        "Free memory of each node on a scale from 0 to twice its high watermark; m, l and h are min, low and high. Below low "
        "kswapd reclaims in the background, below min every allocation must reclaim itself: writes stall. Enter shows more. "
        "w: the writer runs there; the arrow is the trend of free memory; room is free memory above low."
    )

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._states: list[NodeState] = []
        self._page_bytes: int | None = None
        self._writer_node: int | None = None
        self._open: set[int] = set()
        self._row_nodes: list[int] = []

    def take(self, session: Session) -> None:
        self._states = [session.nodes[number] for number in sorted(session.nodes)]
        self._page_bytes = None if session.host is None else session.host.page_bytes
        self._writer_node = None if session.writer is None else session.writer.node

    def row_count(self) -> int:
        """Rows that the panel would like to have."""
        return sum(1 + (len(n.zones) + 12 if n.node in self._open else 0) for n in self._states)

    @property
    def opened(self) -> bool:
        """Whether any node shows its zones and pages."""
        return bool(self._open)

    def remark(self) -> Line:
        low = sum(n.state in ("below low", "below min") for n in self._states)
        count = f"{len(self._states)} node{'s' * (len(self._states) != 1)}"
        if low:
            return ((f"{count} {self.glyphs.separator} ", "label"), (f"{low} below low", "warn"))
        ages = [n.zones_age_ns for n in self._states if n.zones_age_ns is not None]
        age = (
            f" {self.glyphs.separator} watermarks read {min(ages) / 1e9:.0f}s ago (z)"
            if ages and self.outer_size.width > 70
            else ""
        )
        return ((count + age, "label"),)

    def body(self, width: int, height: int) -> list[Line]:
        many = not self._open and len(self._states) > height
        self.columns = max(1, width // _COMPACT_CELLS) if many else 1
        return super().body(width, height)

    def item_count(self, rows: list[Line]) -> int:
        return len(self._row_nodes) if self._states else len(rows)

    def item_cells(self, width: int) -> int:
        return width if self.columns == 1 else _COMPACT_CELLS

    def rows(self, width: int) -> list[Line]:
        if self.columns > 1:
            self._row_nodes = [node.node for node in self._states]
            cells = [self._compact(node) for node in self._states]
            return [merged(sum(cells[i : i + self.columns], ())) for i in range(0, len(cells), self.columns)]
        rows: list[Line] = []
        self._row_nodes = []
        for node in self._states:
            rows.append(self._node_row(node, width))
            self._row_nodes.append(node.node)
            if node.node in self._open:
                rows += [self._zone_row(zone, width) for zone in node.zones]
                rows += [] if node.empty else facts_lines(node_facts(node, self._page_bytes), width, 4)
                self._row_nodes += [node.node] * (len(rows) - len(self._row_nodes))
        return rows or [((" no node was read yet", "dim"),)]

    def activate(self, item: int) -> None:
        if item < len(self._row_nodes):
            node = self._row_nodes[item]
            self._open ^= {node}
            self._top = item if node in self._open else 0  # what opens is below it
            if not self._open:  # a row per node again
                self.cursor = next(i for i, state in enumerate(self._states) if state.node == node)
            self.post_message(self.Activated(self))

    def cursor_cells(self, width: int) -> int:
        """The number and the state."""
        return 5 if self.columns > 1 else 5 + _WORD_CELLS

    def _bar_cells(self, width: int) -> int:
        return max(12, min(60, width - 61))

    def _bytes(self, pages: int | None) -> str:
        return format_bytes(None if pages is None or self._page_bytes is None else pages * self._page_bytes)

    def _node_row(self, node: NodeState, width: int) -> Line:
        fold = self.glyphs.opened if node.node in self._open else self.glyphs.closed
        here = "w" if node.node == self._writer_node else " "
        spans: list[Span] = [(f"{fold}{node.node:>2}", "heading"), (f"{here} ", "mark")]
        if node.empty is not None:
            return merged([*spans, (node.empty, "dim")])
        if not node.online:
            return merged([*spans, ("offline now; it was seen earlier", "warn")])
        role = STATE_ROLES.get(node.state, "dim")
        spans += [(f"{STATE_WORDS.get(node.state, node.state):<{_WORD_CELLS}}", role), (" ", "")]
        spans += node_bar(
            self._bar_cells(width), node.free_pages, (node.min_pages, node.low_pages, node.high_pages), node.state, self.glyphs
        )
        spans += [
            (f" {self._bytes(node.free_pages):>6}", ""),
            (f" {trend_glyph(node.trend, self.glyphs)}", "worst" if node.state == "below min" else role),
            (" free", "label"),
        ]
        if node.headroom_pages is not None:
            negative = node.headroom_pages < 0
            sign = "" if negative else "+"
            spans += [(f" {sign + self._bytes(node.headroom_pages):>7}", "worst" if negative else ""), (" room", "label")]
        else:
            spans += [(f" {'n/a':>7}", "dim"), (" room", "label")]
        return merged([*spans, *self._kswapd(node)])

    def _compact(self, node: NodeState) -> Line:
        here = "w" if node.node == self._writer_node else " "
        spans: list[Span] = [(f"{node.node:>3}", "heading"), (here, "mark")]
        gone = "no memory" if node.empty else None if node.online else "offline now"
        if gone is not None:
            return fit(merged([*spans, (f" {gone}", "dim")]), _COMPACT_CELLS, self.glyphs.ellipsis)
        role = STATE_ROLES.get(node.state, "dim")
        marks = (node.min_pages, node.low_pages, node.high_pages)
        low = node.state in ("below low", "below min")
        spans += [("!" if low else " ", role), *node_bar(_COMPACT_BAR_CELLS, node.free_pages, marks, node.state, self.glyphs)]
        spans += [(f" {self._bytes(node.free_pages):>6}", ""), (f" {trend_glyph(node.trend, self.glyphs)} ", role)]
        return fit(merged(spans), _COMPACT_CELLS, self.glyphs.ellipsis)

    def _kswapd(self, node: NodeState) -> list[Span]:
        if node.kswapd_awake is None:
            return [(" kswapd n/a", "dim")]
        if not node.kswapd_awake:
            return [(" kswapd asleep", "dim")]
        cpu = "" if node.kswapd_cpu_pct is None else f" {node.kswapd_cpu_pct:.0f}%"
        return [(" ", ""), (f"kswapd AWAKE{cpu}", "warn")]

    def _zone_row(self, state: ZoneState, width: int) -> Line:
        zone = state.zone
        boost = f" boost {self._bytes(zone.boost)}" if zone.boost else ""
        spans: list[Span] = [(f"    {zone.name:<{_WORD_CELLS + 2}}"[: _WORD_CELLS + 6], "label")]
        spans += node_bar(self._bar_cells(width), zone.free, (zone.min, zone.low, zone.high), state.state, self.glyphs)
        spans.append((f" {self._bytes(zone.free):>6}", ""))
        spans.append(
            (f"   min {self._bytes(zone.min)} low {self._bytes(zone.low)} high {self._bytes(zone.high)}{boost}", "dim")
        )
        if state.shielded:
            spans.append((" reserved for others", "dim"))
        return merged(spans)
