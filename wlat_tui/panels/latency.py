"""The worst write, live."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from wlat_tui.frame import Span, WriteClass
from wlat_tui.model.series import Column, aligned
from wlat_tui.model.session import Session
from wlat_tui.panels.panel import Panel
from wlat_tui.renderables.causes import Marked, families_in
from wlat_tui.renderables.figures import TABLE_CELLS, Figures, table
from wlat_tui.renderables.latency_strip import LABEL_CELLS, LogAxis, latency_strip, legend, short_span, swept, time_axis
from wlat_tui.renderables.line import Line, Role, beside, first_fitting, merged
from wlat_tui.units import format_ns

_COLUMN_NS = 500_000_000
_BESIDE_CELLS = 108
"""From this width on the table stands beside the bars."""


class LatencyPanel(Panel):
    """Bars of the worst write per moment, and the percentiles."""

    title: ClassVar[str] = "Worst write() latency"
    key: ClassVar[str] = "1"
    help: ClassVar[str] = (
        "Each bar is the slowest write of half a second. The dashed line is the threshold; a bar over it has the letter and "
        "the colour of its cause: M memory, L lock, F filesystem, S scheduler, I interrupt, H host, ? unexplained. v switches "
        "between response (from when the write was planned to when it returned: waking up late and queueing count) and service "
        "(what write() itself took). p99 means that 1 write in 100 took longer."
    )

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.span = Span.SERVICE
        """Which time of each write the bars show."""
        self._axis = LogAxis()
        self._marked = Marked()
        self._columns: list[Column] = []
        self._drawn: list[Line] = []
        self._drawn_for: tuple[object, ...] = ()
        self._tabled: list[Line] = []
        self._tabled_for: tuple[object, ...] = ()
        self._figures: Figures | None = None
        self._threshold_ns = 0
        self._worst_now_ns: dict[Span, int | None] = {}
        self._stalls = self._late_wakes = 0
        self._session: Session | None = None
        self._at_ns = 0
        self._inflight_ns: int | None = None
        self._figures_at_ns: int | None = None

    def take(self, session: Session) -> None:
        self._threshold_ns = session.settings.threshold_ns
        headline = session.headline()
        self._worst_now_ns = {span: session.worst_now_ns(span) for span in Span}
        self._stalls, self._late_wakes = headline.stalls, headline.late_wakes
        self._inflight_ns = headline.inflight_ns
        self._marked.take(session.explained)
        if session is not self._session:
            self._figures_at_ns = None  # somebody jumped
        self._session, self._at_ns = session, session.now_ns
        self._cut(session, self._bar_cells(self.outer_size.width))
        ever = session.worst_ever(Span.RESPONSE)
        self._axis = self._axis.grown_for(max(0 if ever is None else ever.response_ns, self._inflight_ns or 0))
        # percentiles change slowly and merging histograms costs more than drawing: after the first ones, once a second
        known = self._figures is not None and self._figures.service[1] is not None
        if not known or self._figures_at_ns is None or session.now_ns - self._figures_at_ns >= 1_000_000_000:
            self._figures_at_ns = session.now_ns
            self._figures = Figures(
                session.window_s,
                (session.window(Span.SERVICE), session.whole(Span.SERVICE)),
                (session.window(Span.RESPONSE), session.whole(Span.RESPONSE)),
                {kind: session.window(Span.SERVICE, kind) for kind in WriteClass},
            )

    def recut(self) -> None:
        """Draw again after ``span`` was set, also in a paused view (as of the moment it shows)."""
        if self._session is not None:
            self._cut(self._session, self._bar_cells(self.outer_size.width))
            self.redraw()

    def _cut(self, session: Session, count: int) -> None:
        """Reduce the series to *count* columns, as of the last moment that was taken."""
        begin_ns, end_ns = aligned(self._at_ns, count * _COLUMN_NS, count)
        self._columns = session.worst[self.span].columns(begin_ns, end_ns, count)
        if self._inflight_ns is not None and self._columns:
            # it will be at least this long: a stuck write must be seen growing, not only once it has returned
            last = self._columns[-1]
            self._columns[-1] = replace(last, max_ns=max(last.max_ns or 0, self._inflight_ns), has_gap=False)

    def remark(self) -> Line:
        now = self._worst_now_ns.get(self.span)
        stuck = self._inflight_ns
        shown = f"{format_ns(now):>6}" if stuck is None else f"over {format_ns(stuck)}"
        over = stuck is not None or (now is not None and now > self._threshold_ns)
        head: Line = (
            (f"{self.span.name.lower()} now ", "label"),
            (shown, "worst" if over else "dim" if now is None else "good"),
            (f" {self.glyphs.separator} ", "label"),
        )
        stalls, late = f"{self._stalls:,}", f"{self._late_wakes:,}"
        stalls_role: Role = "worst" if self._stalls else ""
        late_role: Role = "notice" if self._late_wakes else ""
        limit = format_ns(self._threshold_ns)
        # apart, because their red is not in the same picture: a late wake is not over the threshold in service
        long: Line = ((f" stalls (write() over {limit}) {self.glyphs.separator} ", "label"), (late, late_role))
        short: Line = ((f" stalls over {limit}, ", "label"), (late, late_role))
        wordings = [
            merged([*head, (stalls, stalls_role), *long, (" late wakes", "label")]),
            merged([*head, (stalls, stalls_role), *short, (" late", "label")]),
            merged([*head, (stalls, stalls_role), (" stalls, ", "label"), (late, late_role), (" late", "label")]),
        ]
        return first_fitting(wordings, self.outer_size.width - len(self.title) - 9, self.glyphs.ellipsis)

    def body(self, width: int, height: int) -> list[Line]:
        if self._figures is None or self._session is None:
            return []
        if len(self._columns) != self._bar_cells(width):  # resized, perhaps while paused
            self._cut(self._session, self._bar_cells(width))
        if width >= _BESIDE_CELLS:
            bars = self._bars(height)
            left = LABEL_CELLS + self._bar_cells(width) + 2
            rows = self._table(TABLE_CELLS, height)
            rows += [()] * (len(bars) - len(rows))
            return [beside(bar, left, row) for bar, row in zip(bars, rows, strict=False)]
        rows = self._table(width, 10 if height >= 20 else 5 if height >= 8 else 3)
        return [*self._bars(height - len(rows)), *rows]

    def _table(self, width: int, height: int) -> list[Line]:
        assert self._figures is not None
        tabled_for = (self._figures, self._threshold_ns, width, height)
        if tabled_for != self._tabled_for:
            self._tabled = table(self._figures, self._threshold_ns, width, height)
            self._tabled_for = tabled_for
        return self._tabled.copy()

    def _bar_cells(self, width: int) -> int:
        if width >= _BESIDE_CELLS:
            return max(10, width - TABLE_CELLS - LABEL_CELLS - 2)
        return max(10, width - LABEL_CELLS)

    def _bars(self, height: int) -> list[Line]:
        columns = swept(self._columns, _COLUMN_NS) if self.low_bandwidth else self._columns
        marks = self._marked.columns(columns, self.span, self._threshold_ns)
        drawn_for = (tuple(columns), marks, height, self.span, self._axis, self._threshold_ns, self.glyphs)
        if drawn_for == self._drawn_for:  # half of all times: a bar is two frames wide
            return self._drawn
        bars = latency_strip(columns, max(1, height - 1), self._axis, self._threshold_ns, self.glyphs, marks)
        width_ns = len(columns) * _COLUMN_NS
        seen = [column for column in columns if column is not None]
        key = legend(
            f"worst {self.span.name.lower()} per {short_span(_COLUMN_NS)}",
            self._threshold_ns,
            self.glyphs,
            gaps=any(column.has_gap and column.max_ns is None for column in seen),
            families=families_in(marks),
            red=sum((column.max_ns or 0) > self._threshold_ns for column in seen) > len(marks),
        )
        self._drawn = [*bars, time_axis(len(columns), width_ns, key, swept=self.low_bandwidth)][:height]
        self._drawn_for = drawn_for
        return self._drawn
