"""Everything a report shows, gathered in one pass over a recording in bounded memory."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wlat_tui.frame import Frame, Span, WriteClass
from wlat_tui.histogram import Histogram
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.session import Session
from wlat_tui.model.stalls import Explained

COLUMNS = 2_000
"""Of the charts over time; a minute has 300 ticks, so only recordings beyond seven minutes are drawn coarser than they are."""
HEAT_COLUMNS = 160
PER_DECADE = 8
LOWEST_EXPONENT = 2
"""The heat map begins at 100 ns."""
HEAT_ROWS = PER_DECADE * 9
KEPT_STALLS = 500
KEPT_LATE_WAKES = 200
KEPT_NOTICES = 30
CURVE_POINTS = 200


@dataclass(slots=True)
class TimeColumn:
    """A stretch of the time axis. None: nothing known."""

    worst_ns: dict[Span, int] = field(default_factory=dict)
    headroom_pages: dict[int, int] = field(default_factory=dict)
    """Node -> the least in this stretch."""
    stalls: int = 0


class _Longest:
    """So many of the longest stalls."""

    def __init__(self, most: int, span: Span) -> None:
        self._most = most
        self._span = span
        self._heap: list[tuple[int, int, Explained]] = []
        self._count = 0

    def add(self, explained: Explained) -> None:
        self._count += 1
        # of equals the earlier one is kept
        entry = (span_ns(explained.write, self._span), -self._count, explained)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def ranked(self) -> list[Explained]:
        return [explained for _, _, explained in sorted(self._heap, reverse=True)]


class Digest:
    """Folds frames.

    Args:
        begin_ns, end_ns: of the recording, CLOCK_MONOTONIC.
        facts: its header.
    """

    def __init__(self, begin_ns: int, end_ns: int, facts: Mapping[str, Any], name: str) -> None:
        self.begin_ns, self.end_ns = begin_ns, max(end_ns, begin_ns + 1)
        self.facts = facts
        self.name = name
        self.session = Session()
        self.rolled_up = 0
        """Frames before these, of which the recording kept no more than summaries (``--keep``, ``--max-size``)."""
        self.begin_wall_ns: int | None = None
        self.columns: list[TimeColumn | None] = [None] * COLUMNS
        self.heat: list[Counter[int] | None] = [None] * HEAT_COLUMNS
        """By time column: row (`row_of_ns`) -> writes, service time; None: nothing was written."""
        self._stalls = _Longest(KEPT_STALLS, Span.SERVICE)
        self._late_wakes = _Longest(KEPT_LATE_WAKES, Span.RESPONSE)
        self.examples: dict[str, Explained] = {}
        """Cause -> its longest stall."""
        self.notices: dict[str, None] = {}
        self._heat_at = 0
        self._heat_now = Histogram()

    def take(self, frame: Frame) -> None:
        """Count one frame in."""
        session = self.session
        before = session.explained[-1] if session.explained else None
        session.fold(frame)
        if self.begin_wall_ns is None:
            self.begin_wall_ns = frame.wall_ns - (frame.end_ns - frame.begin_ns)
        self._take_columns(frame)
        self._take_heat(frame)
        for explained in reversed(session.explained):
            if explained is before:
                break
            self._take_stall(explained)
        for text in frame.notices:
            if len(self.notices) < KEPT_NOTICES:
                self.notices.setdefault(text)

    def end(self) -> None:
        """Nothing more comes."""
        self._close_heat()

    def wall_ns(self, at_ns: int) -> int:
        """Time of day of a moment, by the clock as it stood at the begin."""
        return (self.begin_wall_ns or 0) + at_ns - self.begin_ns

    def _place(self, at_ns: int, columns: int) -> int:
        return min(columns - 1, max(0, (at_ns - self.begin_ns) * columns // (self.end_ns - self.begin_ns)))

    def _take_columns(self, frame: Frame) -> None:
        at = self._place((frame.begin_ns + frame.end_ns) // 2, COLUMNS)
        column = self.columns[at]
        if column is None:
            column = self.columns[at] = TimeColumn()
        if frame.writer is not None:
            column.stalls += frame.writer.stall_count
            for span, write in zip(Span, frame.writer.worst, strict=True):
                if write is not None:
                    column.worst_ns[span] = max(column.worst_ns.get(span, 0), span_ns(write, span))
        for sample in frame.nodes or ():
            pages = self.session.nodes[sample.node].headroom_pages
            if pages is not None:
                column.headroom_pages[sample.node] = min(pages, column.headroom_pages.get(sample.node, pages))

    def _take_heat(self, frame: Frame) -> None:
        if frame.writer is None:
            return
        at = self._place((frame.begin_ns + frame.end_ns) // 2, HEAT_COLUMNS)
        if at != self._heat_at:
            self._close_heat()
            self._heat_at = at
        for delta in frame.writer.histograms:
            if delta.span is Span.SERVICE:
                self._heat_now.add(delta)

    def _close_heat(self) -> None:
        rows: Counter[int] = self.heat[self._heat_at] or Counter()
        for low, high, count in self._heat_now.buckets():
            rows[row_of_ns((low + high) / 2)] += count
        if rows:
            self.heat[self._heat_at] = rows
        self._heat_now.clear()

    def _take_stall(self, explained: Explained) -> None:
        late = explained.write.service_ns <= self.session.settings.threshold_ns
        (self._late_wakes if late else self._stalls).add(explained)
        known = self.examples.get(explained.verdict.cause)
        if known is None or explained.verdict.span_ns > known.verdict.span_ns:
            self.examples[explained.verdict.cause] = explained

    @property
    def longest(self) -> list[Explained]:
        """The longest stalls in write() itself, longest first."""
        return self._stalls.ranked()

    @property
    def latest(self) -> list[Explained]:
        """The latest wakes: the writer came late, write() itself was quick."""
        return self._late_wakes.ranked()

    def curve(self, span: Span, write_class: WriteClass | None) -> list[tuple[float, int]]:
        """(fraction of writes that took longer, ns) for a percentile plot; [] when there was no such write."""
        figures = self.session.whole(span, write_class)
        if figures is None:
            return []
        above = [figures.count ** (-i / CURVE_POINTS) for i in range(CURVE_POINTS + 1)]
        found = self.session.whole_at(span, write_class, [*(1 - share for share in above[:-1]), 1.0]) or []
        return [(share, min(ns, figures.max_ns)) for share, ns in zip(above, found, strict=True)]


def row_of_ns(ns: float) -> int:
    """Row of the heat map, 0 at the bottom."""
    exponent = math.log10(max(1.0, ns)) - LOWEST_EXPONENT
    return min(HEAT_ROWS - 1, max(0, math.floor(exponent * PER_DECADE)))


def row_middle_ns(row: int) -> float:
    """Where a row is drawn."""
    return float(10 ** (LOWEST_EXPONENT + (row + 0.5) / PER_DECADE))
