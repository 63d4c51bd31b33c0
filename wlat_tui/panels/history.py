"""Worst latency and headroom of every node on one time axis."""

from __future__ import annotations

from typing import ClassVar

from wlat_tui.frame import Span
from wlat_tui.model.series import aligned
from wlat_tui.model.session import Session
from wlat_tui.panels.panel import HALF_AS_OFTEN_NS, Panel
from wlat_tui.renderables.causes import Marked
from wlat_tui.renderables.history import HistoryView, canvas_cells, history
from wlat_tui.renderables.latency_strip import short_span
from wlat_tui.renderables.line import Line

SPANS_S = (10, 30, 60, 120, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600)
_DRAW_NS = 1_000_000_000
_DRAWS_PER_SPAN = 40
"""A plot costs more than all the rest of a frame: a long span is drawn in larger steps, of two cells or so."""


class HistoryPanel(Panel):
    """The combined chart."""

    title: ClassVar[str] = "Latency and headroom over time"
    rest_ns: ClassVar[int] = HALF_AS_OFTEN_NS
    key: ClassVar[str] = "4"
    help: ClassVar[str] = (
        "Above: worst latency. Below: how far each node's free memory is above its low watermark; under 0 the kernel reclaims. "
        "A letter is a stall, by its cause (as in the live latency). A vertical line is a mitigation that was switched. "
        "+ and - zoom."
    )

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.span = Span.SERVICE
        """Which time of each write the upper plot shows."""
        self._marked = Marked()
        self._zoom = SPANS_S.index(120)
        self._view: HistoryView | None = None
        self._drawn: list[Line] = []
        self._drawn_for: tuple[object, ...] = ()
        self._session: Session | None = None
        self._at_ns = 0

    def show_span(self, span: Span) -> None:
        """Draw another time of each write."""
        self.span = span
        self.zoom(0)

    def zoom(self, step: int) -> None:
        """Show more (+1) or less (-1) time."""
        self._zoom = min(len(SPANS_S) - 1, max(0, self._zoom + step))
        self._view = None
        if self._session is not None:
            self._cut(self._session)
            self.redraw()

    def take(self, session: Session) -> None:
        if not self.display or self.low_bandwidth:
            return
        jumped, self._session = session is not self._session, session
        if jumped or self._view is None or session.now_ns - self._at_ns >= self._step_ns():
            self._at_ns = session.now_ns
            self._cut(session)

    def remark(self) -> Line:
        return (
            (f"worst {self.span.name.lower()} {self.glyphs.separator} span ", "label"),
            (short_span(SPANS_S[self._zoom] * 10**9), ""),
            (f" {self.glyphs.separator} + - zoom", "label"),
        )

    def body(self, width: int, height: int) -> list[Line]:
        if self.low_bandwidth:
            return [((" not drawn in low-bandwidth mode (b switches it off)", "dim"),)]
        if self._view is None or height < 3:
            return []
        drawn_for = (self._view, width, height)
        if drawn_for != self._drawn_for:
            if len(self._view.latency) != canvas_cells(width) and self._session is not None:
                self._cut(self._session)
            self._drawn = history(self._view, width, height, self.glyphs)
            self._drawn_for = (self._view, width, height)
        return self._drawn

    def _step_ns(self) -> int:
        """From one drawing to the next: nothing moves before a column is over."""
        span_ns = SPANS_S[self._zoom] * 10**9
        column_ns = span_ns // canvas_cells(max(20, self.outer_size.width))
        return max(_DRAW_NS, column_ns, min(3 * _DRAW_NS, span_ns // _DRAWS_PER_SPAN))

    def _cut(self, session: Session) -> None:
        """Reduce the series to one minimum and maximum per column, as of the last moment that was taken."""
        count = canvas_cells(max(20, self.outer_size.width))
        begin_ns, end_ns = aligned(self._at_ns, SPANS_S[self._zoom] * 10**9, count)
        host = session.host
        self._marked.take(session.explained)
        latency = session.worst[self.span].columns(begin_ns, end_ns, count)
        by_headroom = sorted(session.nodes.values(), key=lambda n: (n.headroom_pages is None, n.headroom_pages or 0))
        self._view = HistoryView(
            span_ns=end_ns - begin_ns,
            latency=latency,
            headroom={
                n.node: session.memory[n.node].columns(begin_ns, end_ns, count)
                for n in by_headroom
                if host is not None and n.node in session.memory and n.empty is None
            },
            page_bytes=1 if host is None else host.page_bytes,
            threshold_ns=session.settings.threshold_ns,
            marks=self._marked.columns(latency, self.span, session.settings.threshold_ns),
        )
