"""What else was known when a stall happened: the host, its settings, and what moved around that moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wlat_tui.evidence import Disturbance, Tracer
from wlat_tui.frame import Host, KnobState, Settings


@dataclass(frozen=True, slots=True)
class NodeAround:
    """One node just before and just after a stall. Pages; None where not known."""

    node: int
    headroom_before_pages: int | None
    """Room above ``low`` in the last sample before the stall began."""
    headroom_after_pages: int | None
    """The same in the first sample after it ended."""
    kswapd_awake: bool | None
    boost_pages: int | None
    pfns: tuple[tuple[int, int], ...] = ()
    """Page frame numbers of its zones, from (included) and to (not included)."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The context of one stall. Counters are differences between the readings that enclose it; ``{}``/None: not read.

    Everything is as it was then: knobs and settings are those in force at the time of the stall.
    """

    host: Host | None = None
    settings: Settings = field(default_factory=Settings)
    knobs: Mapping[str, KnobState] = field(default_factory=dict)
    tracer: Tracer | None = None
    writer_tid: int | None = None
    nodes: tuple[NodeAround, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    """/proc/vmstat rows that rose, and by how much."""
    counters_over_ns: int | None = None
    """Length of the span those two readings enclose: the longer, the weaker the hint."""
    pressure_us: Mapping[str, int] = field(default_factory=dict)
    """Time lost by resource and kind (``memory some``) between the readings around the stall."""
    dirty_pages: int | None = None
    dirty_limit_pages: int | None = None
    """vm.dirty_ratio/bytes in pages, as the kernel computes it (nr_dirty_threshold)."""
    dirty_background_pages: int | None = None
    steal_ns: int | None = None
    """Time the hypervisor kept the writer's CPU, between the readings around the stall (10 ms steps)."""
    cpu_busy_pct: float | None = None
    """How much of that span the writer's CPU was not idle."""
    fifo: bool = False
    """The writer ran under a real-time policy."""
    neighbours: tuple[Disturbance, ...] = ()
    """What others did that overlapped the stall, those that go with its cause first."""

    def knob(self, name: str) -> str | None:
        """A kernel setting's value then; None: not known."""
        state = self.knobs.get(name)
        return None if state is None else state.current

    @property
    def filesystem(self) -> str | None:
        """``ext4``, ``xfs`` ... of the target; None: not known."""
        return self.host.target.filesystem if self.host is not None and self.host.target is not None else None

    @property
    def kernel(self) -> tuple[int, int] | None:
        """(major, minor) of the running kernel; None when it cannot be told."""
        parts = (self.host.kernel if self.host is not None else "").split(".")
        if len(parts) < 2 or not parts[0].isdecimal():
            return None
        minor = "".join(letter for letter in parts[1] if letter.isdecimal())
        return (int(parts[0]), int(minor)) if minor else None

    @property
    def mglru(self) -> bool | None:
        """Whether the multi-generational LRU is on (bit 0 of lru_gen/enabled); None: not known."""
        if self.host is None:
            return None
        try:
            return self.host.mglru is not None and bool(int(self.host.mglru, 16) & 1)
        except ValueError:
            return None
