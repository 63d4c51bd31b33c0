"""Bounded series over time that keep every extreme at every zoom, and gaps as gaps."""

from __future__ import annotations

from dataclasses import dataclass

from wlat_tui.frame import Mark, WriteClass


@dataclass(frozen=True, slots=True)
class Gap:
    """A span in which nothing was observed or the process was stopped: not a stall, drawn as a gap."""

    begin_ns: int
    end_ns: int
    reason: str


@dataclass(frozen=True, slots=True)
class Column:
    """One screen column of a worst-latency series: the span [begin_ns, end_ns)."""

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


@dataclass(frozen=True, slots=True)
class MemoryColumn:
    """One screen column of a node's memory: smallest values in [begin_ns, end_ns)."""

    begin_ns: int
    end_ns: int
    free_pages: int | None
    headroom_pages: int | None
    """None: watermarks were not known."""
    has_data: bool
    has_gap: bool


class WorstSeries:
    """Worst write of every tick for one `Span`, kept for days in bounded memory (fine for minutes, rolled up by maximum after)."""

    def columns(self, begin_ns: int, end_ns: int, n: int) -> list[Column]:
        """Cut [begin_ns, end_ns) into *n* columns, oldest first; columns before the start or in the future have no data."""
        raise NotImplementedError


class MemorySeries:
    """Free pages and headroom of one node at tick rate, rolled up by minimum."""

    def columns(self, begin_ns: int, end_ns: int, n: int) -> list[MemoryColumn]:
        """Cut [begin_ns, end_ns) into *n* columns, oldest first."""
        raise NotImplementedError


def aligned(now_ns: int, span_ns: int, n: int) -> tuple[int, int]:
    """(begin_ns, end_ns) of a view of *n* columns that ends with *now_ns*, on a grid that does not move between two redraws."""
    width = max(1, span_ns // n)
    end = -(-now_ns // width) * width
    return end - width * n, end
