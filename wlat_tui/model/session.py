"""The session: the one mutable state. It folds frames; panels only draw what it holds."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from wlat_tui.frame import Cost, Frame, Host, KnobState, Mark, Pressure, Settings, Span, Write, WriteClass, WriterTick
from wlat_tui.model.changes import Change
from wlat_tui.model.nodes import NodeState
from wlat_tui.model.percentiles import Quantiles
from wlat_tui.model.series import Gap, MemorySeries, WorstSeries


@dataclass(frozen=True, slots=True)
class Notice:
    """A one-sentence fact the user must see."""

    at_ns: int
    wall_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The few facts for the top of the screen; None where not known."""

    worst_now_ns: int | None
    """Worst response of the last tick."""
    worst_window: Write | None
    """Worst response of the window."""
    worst_ever: Write | None
    """Worst response since the start."""
    tightest: NodeState | None
    """The node with least headroom."""
    inflight_ns: int | None
    """How long the write that is in the kernel right now has been there (older than 1 ms)."""
    stalls: int
    """Writes over the threshold since the start."""


class Session:
    """Everything known about this run. All times come from frames (CLOCK_MONOTONIC ns); nothing here reads a clock.

    Attributes:
        host, writer, vmstat, pressure, cost: the last ones seen, None before.
        settings: the settings asked of the engine (the defaults until a frame brings one).
        writer_missing: why there is no writer report now, None when there is one.
        knobs: kernel settings by name.
        vmstat_rates: /proc/vmstat, change per second between the last two readings; empty before.
        nodes: every node seen, by number, ascending.
        memory: each node's free pages and headroom over time.
        worst: the worst write per tick over time, by `Span`.
        notices, marks, gaps, stalls: newest last, bounded.
        losses: what was dropped, by name, since the start.
        writes: finished writes by `WriteClass`, since the start.
        skipped_slots, error_slots, stall_count: since the start.
    """

    frames: int
    host: Host | None
    settings: Settings
    writer: WriterTick | None
    writer_missing: str | None
    now_ns: int
    wall_ns: int
    started_ns: int
    knobs: Mapping[str, KnobState]
    vmstat: Mapping[str, int] | None
    vmstat_rates: Mapping[str, float]
    pressure: tuple[Pressure, ...] | None
    cost: Cost | None
    nodes: Mapping[int, NodeState]
    memory: Mapping[int, MemorySeries]
    worst: Mapping[Span, WorstSeries]
    notices: deque[Notice]
    marks: deque[Mark]
    gaps: deque[Gap]
    stalls: deque[Write]
    losses: Counter[str]
    writes: list[int]
    skipped_slots: int
    error_slots: int
    stall_count: int

    def __init__(self, window_s: float = 10.0) -> None:
        raise NotImplementedError

    def fold(self, frame: Frame) -> None:
        """Take one frame in. Frames come in time order."""
        raise NotImplementedError

    @property
    def elapsed_ns(self) -> int:
        """Time covered since the first frame began."""
        raise NotImplementedError

    @property
    def window_s(self) -> float:
        """Length of the moving window of `window`; can be set (0.2 .. 60), what is kept is re-counted at once."""
        raise NotImplementedError

    @window_s.setter
    def window_s(self, value: float) -> None:
        raise NotImplementedError

    def window(self, span: Span, write_class: WriteClass | None = None) -> Quantiles | None:
        """Quantiles of the last ``window_s`` seconds, all classes or one; None when there was no write."""
        raise NotImplementedError

    def whole(self, span: Span, write_class: WriteClass | None = None) -> Quantiles | None:
        """Quantiles since the start, all classes or one; None when there was no write."""
        raise NotImplementedError

    def worst_window(self, span: Span) -> Write | None:
        """The exact worst write of the window."""
        raise NotImplementedError

    def worst_ever(self, span: Span) -> Write | None:
        """The exact worst write since the start."""
        raise NotImplementedError

    @property
    def rate_per_s(self) -> float | None:
        """Writes finished per second over the last second or so; None before the first report."""
        raise NotImplementedError

    @property
    def asked_rate_per_s(self) -> float:
        """Writes per second the settings ask for."""
        raise NotImplementedError

    @property
    def changes(self) -> list[Change]:
        """Before and after of every mitigation applied or restored, newest last (bounded)."""
        raise NotImplementedError

    def marks_between(self, begin_ns: int, end_ns: int) -> list[Mark]:
        """Marks on a stretch of the time axis, for drawing."""
        raise NotImplementedError

    def headline(self) -> Headline:
        """The few facts for the top of the screen. No causes."""
        raise NotImplementedError
