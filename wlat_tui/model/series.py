"""Bounded series over time that keep every extreme at every zoom, and gaps as gaps.

A series has levels: 200 ms, 0.8 s, 3.2 s ... 14 min, each a ring of 1,200 points. Every sample goes into all of them; a point
of a coarse level is the maximum (or minimum) of the samples that began in its cell. So four minutes are kept sample by sample,
eleven days in all, and no zoom ever loses a worst value: it only loses the exact moment.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from wlat_tui.frame import Mark, WriteClass

BASE_NS = 200_000_000
RATIO = 4
LEVELS = 7
CAPACITY = 1_200

Fold = Callable[[int, int], int]
Values = tuple[int | None, ...]
_CLASSES = {int(write_class): write_class for write_class in WriteClass}
_NONE = -(1 << 63)  # no value, in an array of int64


@dataclass(frozen=True, slots=True)
class Gap:
    """A span in which nothing was observed or the process was stopped: not a stall, drawn as a gap."""

    begin_ns: int
    end_ns: int
    reason: str
    writer_only: bool = False
    """The host was still observed: only latency has a gap here."""


@dataclass(slots=True)
class Column:
    """One screen column of a worst-latency series: the span [begin_ns, end_ns).

    Not frozen, nor is `MemoryColumn`: hundreds are made a second, and making one would take three times as long.
    """

    begin_ns: int
    end_ns: int
    max_ns: int | None
    """Largest worst of the ticks in it; None: no tick, or no write finished."""
    min_ns: int | None
    """Smallest worst of the ticks in it."""
    write_class: WriteClass | None
    """Class of the write that was the largest."""
    has_data: bool
    """A tick covers some of it (even if no write finished)."""
    has_gap: bool
    marks: tuple[Mark, ...]


@dataclass(slots=True)
class MemoryColumn:
    """One screen column of a node's memory: smallest values in [begin_ns, end_ns)."""

    begin_ns: int
    end_ns: int
    free_pages: int | None
    headroom_pages: int | None
    """None: watermarks were not known."""
    has_data: bool
    has_gap: bool


def _merge(fold: Fold, a: int, b: int) -> int:
    if a == _NONE:
        return b
    return a if b == _NONE else fold(a, b)


class Earlier(Protocol):
    """Points from before the first sample: what a session that begins in the middle of a recording did not fold itself."""

    def __call__(self, resolution_ns: int, most: int) -> Sequence[Sequence[int | None]] | None:
        """The last *most* points (begin_ns, end_ns, values ...), oldest first; None: not known at this resolution."""


class _Level:
    """A ring of points in time order; the last one is still open."""

    def __init__(self, resolution_ns: int, folds: tuple[Fold, ...]) -> None:
        self.resolution_ns = resolution_ns
        self._folds = folds
        self._times = array("q")  # begin, end of each point
        self._values = array("q")  # len(folds) per point
        self._head = 0  # oldest point, once the ring is full
        self._points = 0
        self._whole = True

    def __len__(self) -> int:
        return self._points

    def reaches(self, at_ns: int) -> bool:
        """Whether everything ever added from *at_ns* on is still here."""
        if self._whole and self._points < CAPACITY:
            return True
        return self._points > 0 and self._times[2 * self._head] <= at_ns

    def precede(self, points: Sequence[Sequence[int | None]] | None) -> None:
        """Put earlier points before those that are here."""
        if points is None:
            self._whole = False
            return
        width = len(self._folds)
        times, values = self._in_order(self._times, 2), self._in_order(self._values, width)
        self._times, self._values, self._head, self._points = array("q"), array("q"), 0, 0
        for begin_ns, end_ns, *cells in points:
            assert begin_ns is not None
            assert end_ns is not None
            self.add(begin_ns, end_ns, [_NONE if cell is None else cell for cell in cells])
        for i in range(len(times) // 2):
            self.add(times[2 * i], times[2 * i + 1], list(values[width * i : width * (i + 1)]))
        self._whole = self._whole and len(points) < CAPACITY

    def add(self, begin_ns: int, end_ns: int, values: list[int]) -> None:
        width = len(self._folds)
        if self._points:
            last = (self._head + self._points - 1) % CAPACITY
            if self._times[2 * last] // self.resolution_ns == begin_ns // self.resolution_ns:
                self._times[2 * last + 1] = max(self._times[2 * last + 1], end_ns)
                for i, fold in enumerate(self._folds):
                    self._values[width * last + i] = _merge(fold, self._values[width * last + i], values[i])
                return
        if self._points < CAPACITY:
            self._times.extend((begin_ns, end_ns))
            self._values.extend(values)
            self._points += 1
            return
        at = self._head
        self._times[2 * at], self._times[2 * at + 1] = begin_ns, end_ns
        self._values[width * at : width * (at + 1)] = array("q", values)
        self._head = (at + 1) % CAPACITY

    def between(self, begin_ns: int, end_ns: int) -> tuple[list[int], list[int], list[list[int]]]:
        """Points that overlap [begin_ns, end_ns): their begins, their ends, and for each fold their values."""
        width = len(self._folds)
        times, values = self._in_order(self._times, 2), self._in_order(self._values, width)
        begins, ends = times[0::2], times[1::2]
        part = slice(bisect_right(ends, begin_ns), bisect_left(begins, end_ns))
        return list(begins[part]), list(ends[part]), [list(values[i::width][part]) for i in range(width)]

    def _in_order(self, ring: array[int], width: int) -> array[int]:
        cut = self._head * width
        return ring[cut:] + ring[:cut] if cut else ring


class RollUp:
    """Samples of a few values at a time, each folded by its own function, ``max`` or ``min``, at every level."""

    def __init__(self, *folds: Fold) -> None:
        self._folds = folds
        self._levels = tuple(_Level(BASE_NS * RATIO**i, folds) for i in range(LEVELS))
        self.earlier: Earlier | None = None
        """Asked once, when the series is looked at for the first time."""

    def __len__(self) -> int:
        """Points held, over all levels."""
        self._take_earlier()
        return sum(len(level) for level in self._levels)

    def add(self, begin_ns: int, end_ns: int, *values: int | None) -> None:
        """Add one sample that covers [begin_ns, end_ns). Samples come in time order."""
        packed = [_NONE if value is None else value for value in values]
        for level in self._levels:
            level.add(begin_ns, end_ns, packed)

    def columns(self, begin_ns: int, end_ns: int, n: int) -> list[Values | None]:
        """Fold [begin_ns, end_ns) into *n* columns; None: no sample touches the column."""
        self._take_earlier()
        span = max(1, end_ns - begin_ns)
        begins, ends, values = self._level(begin_ns, span // n).between(begin_ns, end_ns)
        # A sample belongs to the column its middle lies in.
        own = [((begin + end) // 2 - begin_ns) * n // span for begin, end in zip(begins, ends, strict=True)]
        last = (span - 1) * n // span
        if own and (min(own) < 0 or max(own) > last):
            own = [min(max(i, 0), last) for i in own]
        # Columns narrower than a sample are filled by those that touch them, but only where none belongs: else each spike
        # would be two columns wide.
        for i in set(range(n)).difference(own):
            first = bisect_right(ends, begin_ns + i * span // n)
            last = bisect_left(begins, begin_ns + (i + 1) * span // n)
            own.extend([i] * (last - first))
            for cells in values:
                cells.extend(cells[first:last])
        folded = [self._fold(fold, own, cells, n) for fold, cells in zip(self._folds, values, strict=True)]
        known = set(own)
        return [cell if i in known else None for i, cell in enumerate(zip(*folded, strict=True))]

    def _take_earlier(self) -> None:
        earlier, self.earlier = self.earlier, None
        if earlier is not None:
            for level in self._levels:
                level.precede(earlier(level.resolution_ns, CAPACITY))

    @staticmethod
    def _fold(fold: Fold, columns: list[int], cells: list[int], n: int) -> list[int | None]:
        out: list[int | None] = [None] * n
        largest = fold is max
        for i, cell in zip(columns, cells, strict=True):
            if cell != _NONE:
                old = out[i]
                if old is None or (cell > old if largest else cell < old):
                    out[i] = cell
        return out

    def _level(self, begin_ns: int, column_ns: int) -> _Level:
        """The coarsest level no coarser than a column, or the first above it that reaches back far enough."""
        fine = [i for i, level in enumerate(self._levels) if level.resolution_ns <= column_ns]
        start = fine[-1] if fine else 0
        return next((level for level in self._levels[start:] if level.reaches(begin_ns)), self._levels[-1])


class Timeline:
    """What lies on the time axis besides values: gaps and marks. Bounded: the oldest go first."""

    def __init__(self) -> None:
        self.gaps: deque[Gap] = deque(maxlen=1_000)
        self.marks: deque[Mark] = deque(maxlen=1_000)

    def add_gap(self, gap: Gap) -> None:
        """Add a gap, or lengthen the last one when this one continues it."""
        last = self.gaps[-1] if self.gaps else None
        if (
            last is not None
            and last.end_ns >= gap.begin_ns
            and (last.reason, last.writer_only) == (gap.reason, gap.writer_only)
        ):
            self.gaps[-1] = Gap(last.begin_ns, gap.end_ns, gap.reason, gap.writer_only)
        else:
            self.gaps.append(gap)

    def gap_columns(self, begin_ns: int, end_ns: int, n: int, *, writer: bool) -> set[int]:
        """Columns that a gap touches; gaps of the writer alone only when *writer* is asked about."""
        span = max(1, end_ns - begin_ns)
        return {
            i
            for gap in self.gaps
            if (writer or not gap.writer_only) and gap.begin_ns < end_ns and gap.end_ns > begin_ns
            for i in range(
                (max(gap.begin_ns, begin_ns) - begin_ns) * n // span,
                (min(gap.end_ns, end_ns) - 1 - begin_ns) * n // span + 1,
            )
        }

    def marks_between(self, begin_ns: int, end_ns: int) -> list[Mark]:
        """Marks in [begin_ns, end_ns), oldest first."""
        return [mark for mark in self.marks if begin_ns <= mark.at_ns < end_ns]


class WorstSeries:
    """Worst write of every tick for one `Span`, kept for days in bounded memory (fine for minutes, rolled up after)."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._rollup = RollUp(max, min)

    def __len__(self) -> int:
        return len(self._rollup)

    def add(self, begin_ns: int, end_ns: int, worst_ns: int | None, write_class: WriteClass | None) -> None:
        """Add one tick; ``worst_ns`` None: no write finished in it."""
        if worst_ns is None or write_class is None:
            self._rollup.add(begin_ns, end_ns, None, None)
        else:
            # the class rides in the two low bits, so that it follows its maximum through every roll-up
            self._rollup.add(begin_ns, end_ns, worst_ns << 2 | write_class, worst_ns)

    def preceded_by(self, earlier: Earlier) -> None:
        """Where to ask for what came before the first tick: largest worst_ns << 2 | class, smallest worst_ns."""
        self._rollup.earlier = earlier

    def columns(self, begin_ns: int, end_ns: int, n: int) -> list[Column]:
        """Cut [begin_ns, end_ns) into *n* columns, oldest first; columns before the start or in the future have no data."""
        span = max(1, end_ns - begin_ns)
        gaps = self._timeline.gap_columns(begin_ns, end_ns, n, writer=True)
        marks: dict[int, list[Mark]] = {}
        for mark in self._timeline.marks_between(begin_ns, end_ns):
            marks.setdefault((mark.at_ns - begin_ns) * n // span, []).append(mark)
        columns = []
        for i, cell in enumerate(self._rollup.columns(begin_ns, end_ns, n)):
            top, low = cell if cell is not None else (None, None)
            columns.append(
                Column(
                    begin_ns=begin_ns + i * span // n,
                    end_ns=begin_ns + (i + 1) * span // n,
                    max_ns=None if top is None else top >> 2,
                    min_ns=low,
                    write_class=None if top is None else _CLASSES.get(top & 3),
                    has_data=cell is not None,
                    has_gap=i in gaps,
                    marks=tuple(marks.get(i, ())),
                )
            )
        return columns


class MemorySeries:
    """Free pages and headroom of one node at tick rate, rolled up by minimum."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._rollup = RollUp(min, min)

    def __len__(self) -> int:
        return len(self._rollup)

    def add(self, begin_ns: int, end_ns: int, free_pages: int | None, headroom_pages: int | None) -> None:
        """Add one sample."""
        self._rollup.add(begin_ns, end_ns, free_pages, headroom_pages)

    def preceded_by(self, earlier: Earlier) -> None:
        """Where to ask for what came before the first sample: smallest free and headroom pages."""
        self._rollup.earlier = earlier

    def columns(self, begin_ns: int, end_ns: int, n: int) -> list[MemoryColumn]:
        """Cut [begin_ns, end_ns) into *n* columns, oldest first."""
        span = max(1, end_ns - begin_ns)
        gaps = self._timeline.gap_columns(begin_ns, end_ns, n, writer=False)
        columns = []
        for i, cell in enumerate(self._rollup.columns(begin_ns, end_ns, n)):
            free, headroom = cell if cell is not None else (None, None)
            begin, end = begin_ns + i * span // n, begin_ns + (i + 1) * span // n
            columns.append(MemoryColumn(begin, end, free, headroom, has_data=cell is not None, has_gap=i in gaps))
        return columns


def aligned(now_ns: int, span_ns: int, n: int) -> tuple[int, int]:
    """(begin_ns, end_ns) of a view of *n* columns that ends with *now_ns*, on a grid that does not move between two redraws."""
    width = max(1, span_ns // n)
    end = -(-now_ns // width) * width
    return end - width * n, end
