"""What was seen around stalls, and by whom the write path was disturbed: raw parts of a `Frame`, nothing concluded.

`wlat_tui.causes` draws the conclusions, at the time of looking: a recording is explained by the causes that are known then.
Times are CLOCK_MONOTONIC nanoseconds. ``None`` means not known here, never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class TraceLevel(IntEnum):
    """How much the kernel tells about the writer thread (perf_event_paranoid and capabilities decide; more is better)."""

    NOTHING = 0
    """Only counters: rusage, schedstat, vmstat."""
    SWITCHES = 1
    """When the thread left and came back to a CPU, and whether it was preempted; no reason (paranoid 2)."""
    CHAINS = 2
    """Events with kernel call chains, without their fields (paranoid 1)."""
    FULL = 3
    """Events with call chains and fields (CAP_PERFMON or root)."""


@dataclass(slots=True)
class TraceEvent:
    """One perf record of the writer thread. Never changed, and yet not frozen: making one would take three times as long.

    ``name`` is the tracepoint's own name without its subsystem (``sched_switch``, ``contention_begin``,
    ``mm_vmscan_direct_reclaim_begin`` ...), or ``switch_out``, ``switch_out_preempted``, ``switch_in`` for a bare
    PERF_RECORD_SWITCH, or ``lost`` for records the ring had no room for (``numbers["count"]``).
    """

    at_ns: int
    name: str
    cpu: int
    chain: tuple[str, ...] = ()
    """Kernel functions, innermost first, as /proc/kallsyms spells them; ``0x...`` where none is known. (): not asked for."""
    numbers: Mapping[str, int] = field(default_factory=dict)
    """The event's own numeric fields under the kernel's names (``prev_state``, ``lock_addr``, ``nr_reclaimed`` ...)."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Its text fields (``next_comm`` ...), and what was found out about its numbers on the host (``lock``: the lock's name)."""


@dataclass(frozen=True, slots=True)
class StallTrace:
    """Everything the tracer kept of one stall. Belongs to the `Write` with the same ``planned_ns``."""

    planned_ns: int
    from_ns: int
    """The ring held every record since then; later than the write's plan when it had been overwritten already."""
    to_ns: int
    events: tuple[TraceEvent, ...]
    """In time order, from shortly before the plan until shortly after the end."""
    lost: int = 0
    """Records lost in this span."""
    listing: str = ""
    """function_graph output of this write, when the listing was switched on; else empty."""
    omitted: int = 0
    """Switches between other threads that were left out, because not all records had room: short turns on a CPU."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing the tracer looks for, and whether it can see it here. Tested when the engine starts."""

    name: str
    """``subsystem:event``, or ``context_switch``."""
    armed: bool
    why: str = ""
    """Why not (one sentence), when it is blind."""
    deep: bool = False
    """Belongs to the deep tier, which is watched on request only."""


@dataclass(frozen=True, slots=True)
class Tracer:
    """How the writer is being traced. Sent when it changes."""

    level: TraceLevel
    deep: bool
    probes: tuple[Probe, ...]
    fix: str | None = None
    """The one command that would show more; None when nothing is missing."""
    why: str | None = None
    """Why the level is not FULL (one sentence)."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread or process as it was when it was noticed. Texts are empty, not guessed, when it was gone already."""

    pid: int
    comm: str = ""
    command: str = ""
    """Its command line, spaces between the arguments."""
    container: str | None = None
    """The container or service it belongs to, from its cgroup; None: the host's own, or not known."""
    parent_pid: int | None = None
    """Who started it; where that was only a step (``sh -c`` below watch), the nearest ancestor that lives on."""
    parent: str = ""
    """The parent's command line."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something that another process did to what the write path depends on, in the span of one frame.

    ``kind``: ``read`` (of a kernel file whose printing holds an allocator lock), ``write`` (of a file such as drop_caches),
    ``fsync`` (on the target's filesystem), ``dirtied`` (bytes on it), ``preempted`` (took the writer's CPU), ``cpu``
    (kswapd, kcompactd ... at work), ``hook`` (a foreign BPF program or probe on the write path).
    """

    kind: str
    what: str
    """The file, filesystem, CPU or function concerned."""
    by: Thread
    begin_ns: int
    """It lies within these two; they are as close as what is known allows."""
    end_ns: int
    count: int = 1
    """How often; of ``dirtied`` the bytes. Several are told as one where there are many alike."""
    spent_ns: int | None = None
    """Time spent doing it, to within a millisecond each; None where only the fact is known."""
    own: bool = False
    """By wlat itself."""


@dataclass(frozen=True, slots=True)
class CpuTime:
    """One CPU of /proc/stat: USER_HZ ticks since boot under the kernel's names (user, system, irq, softirq, steal ...)."""

    cpu: int
    ticks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Watch:
    """Which disturbances can be noticed here. Sent when it changes."""

    name: str
    """What it notices, such as ``reads in this mount`` or ``fsync``."""
    armed: bool
    why: str = ""
    fix: str = ""
