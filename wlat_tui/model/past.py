"""What a session knows of the time before its first frame, when it begins in the middle of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wlat_tui.frame import HistogramDelta, Mark, Span, Write
from wlat_tui.model.series import Earlier, Gap
from wlat_tui.model.suspects import Suspect


@dataclass(frozen=True, slots=True)
class CauseSum:
    """`wlat_tui.model.stalls.TopCause` with the cause's name in its place."""

    cause: str
    count: int
    total_ns: int
    worst_ns: int
    worst: Write
    last_ns: int
    explained_ns: int


@dataclass(frozen=True, slots=True)
class Digest:
    """Consecutive frames added up. Counts and worst writes are exact, durations as near as its histograms."""

    frames: int = 0
    begin_ns: int = 0
    end_ns: int = 0
    writes: tuple[int, int, int] = (0, 0, 0)
    skipped_slots: int = 0
    error_slots: int = 0
    stall_count: int = 0
    losses: Mapping[str, int] = field(default_factory=dict)
    worst: tuple[Write | None, Write | None, Write | None] = (None, None, None)
    histograms: tuple[HistogramDelta, ...] = ()
    late_wakes: int = 0
    causes: tuple[CauseSum, ...] = ()
    """What all stalls since the start of the recording were named after; by the causes that were known to who recorded it."""
    suspects: tuple[Suspect, ...] = ()
    """The foremost of those since the start of the recording."""
    passed_over: int = 0
    """Stalls since the start that got no verdict."""
    last_seq: int | None = None
    """Of the last report of the engine in them."""


class Past(Protocol):
    """Everything that was folded before, as far as it can be known without folding it."""

    total: Digest
    stalls: Sequence[Write]
    """The newest last, as many as a session keeps; so with the others."""
    marks: Sequence[Mark]
    notices: Sequence[tuple[int, int, str]]
    """(CLOCK_MONOTONIC ns, wall ns, sentence)."""
    gaps: Sequence[Gap]
    nodes: Sequence[int]
    """Every node that was seen."""

    def worst(self, span: Span) -> Earlier:
        """For `wlat_tui.model.series.WorstSeries`."""

    def memory(self, node: int) -> Earlier:
        """For `wlat_tui.model.series.MemorySeries`."""
