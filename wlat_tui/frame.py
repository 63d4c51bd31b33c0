"""What one tick of observation looks like: everything raw, nothing derived.

Live, scripted (and later replayed or remote) sources all yield these frames; the model folds them and no panel can tell where
they came from. ``None`` means "not read in this frame" or "this kernel does not have it", never zero.
Times are CLOCK_MONOTONIC nanoseconds unless the name says ``wall``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from wlat_tui.evidence import CpuTime, Disturbance, StallTrace, Tracer, Watch
from wlat_tui.knob_state import KnobState as KnobState
from wlat_tui.knob_state import Mark as Mark


class WriteClass(IntEnum):
    """Which pages a write touched. Order and values are ``enum wl_class`` in native/wlat.h."""

    IN_PAGE = 0
    NEW_PAGE = 1
    PREPARED = 2


class Span(IntEnum):
    """Which part of a write is timed. Order and values are ``enum wl_span`` in native/wlat.h."""

    WAKE = 0
    SERVICE = 1
    RESPONSE = 2


class Prewarm(IntEnum):
    """How the precursor prepares the next segment (``enum wl_prewarm``)."""

    OFF = 0
    FALLOCATE = 1
    READ = 2
    WRITE = 3


class Policy(IntEnum):
    """Memory policy of writer and precursor (``enum wl_policy``)."""

    DEFAULT = 0
    LOCAL = 1
    BIND = 2
    PREFER = 3
    INTERLEAVE = 4


class Mode(IntEnum):
    """How the writer waits for its next deadline (``enum wl_mode``)."""

    SLEEP = 0
    SPIN = 1


@dataclass(frozen=True, slots=True)
class Write:
    """One write as it happened.

    A stall is a write over the threshold by itself: in service, or in response without having queued behind an earlier one.
    """

    planned_ns: int
    begin_ns: int
    end_ns: int
    """0 while the write is still inside the kernel."""
    offset: int
    segment: int
    write_class: WriteClass
    cpu: int
    backlog: int
    """0: the writer was free when this was planned. Else it queued: slots due when it began, itself included."""

    @property
    def wake_ns(self) -> int:
        return self.begin_ns - self.planned_ns

    @property
    def service_ns(self) -> int:
        return self.end_ns - self.begin_ns

    @property
    def response_ns(self) -> int:
        return self.end_ns - self.planned_ns


@dataclass(frozen=True, slots=True)
class HistogramDelta:
    """Counts that one tick added to one histogram, as the engine sent them.

    ``buckets`` is packed ``struct wl_bucket`` (u32 index, u32 count, native order); `wlat_tui.histogram.Histogram` adds it up.
    """

    span: Span
    write_class: WriteClass
    buckets: bytes


@dataclass(frozen=True, slots=True)
class Precursor:
    """What the prewarming thread has done. ``cpu``/``node`` are None before it ran."""

    method: Prewarm
    late: int
    """Switches that found the next segment unfinished, since start."""
    cpu: int | None
    node: int | None
    ahead_pages: int
    resident_pages: int | None
    resident_of_pages: int | None
    busy_ns: int
    placed_pages: int | None = None
    """Prepared pages that were looked at (a sample) and whose node is known; None: none is."""
    astray_pages: int | None = None
    """Those of them that are not on the writer's node."""


@dataclass(frozen=True, slots=True)
class WriterTick:
    """The engine's report for one tick (``struct wl_tick``)."""

    seq: int
    begin_ns: int
    end_ns: int
    wall_ns: int
    settings_seq: int
    writes: tuple[int, int, int]
    """Writes finished, by `WriteClass`."""
    written_bytes: int
    skipped_slots: int
    error_slots: int
    gap_slots: int
    gap_ns: int
    stall_count: int
    stalls_lost: int
    stalls: tuple[Write, ...]
    worst: tuple[Write | None, Write | None, Write | None]
    """The exact worst write by `Span`; None when nothing finished in this tick."""
    inflight: Write | None
    """The write that is inside the kernel right now, when older than 1 ms."""
    tid: int
    cpu: int
    node: int
    sched_policy: int
    sched_priority: int
    trouble: int
    """``enum wl_trouble``: 0 fine, 1 no segment to write to, 2 write failed."""
    error: int
    trouble_since_ns: int
    refused: Mapping[str, int]
    """Setting -> errno for what could not be put in force: cpus, policy, fifo, dma_latency, mlock, timerslack, prewarm."""
    writer_cpu_ns: int
    engine_cpu_ns: int
    clock_ns: int
    segment: int
    segments_held: int
    segment_offset: int
    segment_size: int
    disk_bytes: int
    page_bytes: int
    precursor: Precursor
    histograms: tuple[HistogramDelta, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """Desired state of the engine, sent whole (``struct wl_settings``). Ranges are checked by the engine."""

    write_bytes: int = 220
    interval_ns: int = 200_000
    threshold_ns: int = 1_000_000
    tick_ns: int = 200_000_000
    segment_bytes: int = 64 << 20
    disk_limit_bytes: int = 1 << 30
    prewarm_bytes: int = 4 << 20
    mode: Mode = Mode.SLEEP
    prewarm: Prewarm = Prewarm.OFF
    policy: Policy = Policy.DEFAULT
    policy_nodes: tuple[int, ...] = ()
    cpus: tuple[int, ...] = ()
    """Empty: every CPU the engine was started with."""
    fifo_priority: int = 0
    dma_latency_us: int = -1
    trace: bool = True
    """Ask the kernel why a write stalled."""
    deep_trace: bool = False
    """Ask it everything, at a cost that `wlat bench tracer` tells."""
    trace_chains: bool = True
    """With the functions that led there. False only to measure what they cost."""
    watch_opens: bool = False
    """Of the watcher, not the engine: trace every open on this host, at a cost that `wlat bench suspects` tells."""


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone of /proc/zoneinfo. Pages; None where this kernel prints no such row."""

    node: int
    name: str
    free: int
    min: int
    low: int
    high: int
    """min/low/high as printed: watermark_boost is already inside them."""
    managed: int | None
    present: int | None
    spanned: int | None
    boost: int | None
    promo: int | None
    protection: tuple[int, ...]
    """lowmem_reserve for an allocation whose highest zone has this index."""
    start_pfn: int | None
    rows: Mapping[str, int] = field(default_factory=dict)
    """Every other row, known or not, under the kernel's own name."""
    drift_pages: int | None = None
    """Worst error of ``free``: online CPUs x vm stats threshold."""


@dataclass(frozen=True, slots=True)
class Kswapd:
    """The reclaim thread of one node. Source: /proc/PID/stat."""

    pid: int
    state: str
    cpu_ns: int


@dataclass(frozen=True, slots=True)
class NodeSample:
    """One node in one tick: the rows of /sys/devices/system/node/nodeN/vmstat (pages and event counts)."""

    node: int
    rows: Mapping[str, int]
    kswapd: Kswapd | None = None
    """None: not read in this tick (it is read about once a second), or not visible here."""


@dataclass(frozen=True, slots=True)
class NodeShape:
    """A node's place in the machine. Source: /sys/devices/system/node/nodeN."""

    node: int
    cpus: tuple[int, ...]
    distances: Mapping[int, int]
    """Online node, itself included (10 on sane firmware), -> SLIT distance. {} where the firmware or kernel does not tell."""
    total_bytes: int | None
    has_memory: bool


@dataclass(frozen=True, slots=True)
class Target:
    """What is being written to. Source: /proc/self/mountinfo, /sys/block."""

    directory: str
    mount_point: str
    filesystem: str
    device: str
    mount_options: str
    stable_writes: bool | None
    rotational: bool | None


@dataclass(frozen=True, slots=True)
class Host:
    """What does not change during a session (re-sent when it does, e.g. hot-plug)."""

    hostname: str
    kernel: str
    page_bytes: int
    cpus_online: tuple[int, ...]
    nodes: tuple[NodeShape, ...]
    target: Target | None
    clocksource: str | None
    mglru: str | None
    """/sys/kernel/mm/lru_gen/enabled as printed, e.g. 0x0007; None: not built."""
    privilege: str
    """"root", "sudo" or "user": what engine and keeper run as."""
    cpu: str | None = None
    """Model of the first CPU, as /proc/cpuinfo prints it; None: not told (most arm64), or recorded before format 1.3."""
    reports_free_pages: bool | None = None
    """Free memory goes back to the hypervisor (virtio_balloon), to be fetched when it is touched; None: recorded earlier."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """One line of /proc/pressure/X. Averages in per cent, total in microseconds of stall."""

    resource: str
    kind: str
    avg10: float
    avg60: float
    avg300: float
    total_us: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What wlat itself takes, since the previous Cost. CPU per cent of one core, without the writer thread."""

    monitor_cpu_pct: float
    """Screen, keeper and watcher."""
    engine_cpu_pct: float
    writer_cpu_pct: float
    read_us: float
    """Time spent reading kernel files, per second of wall time."""
    sent_bytes_per_s: float | None
    kept_off_cpus: tuple[int, ...] = ()
    """The writer's, which screen and watcher do not run on; empty: they run anywhere."""


UNRECORDED_LATE_WAKES = "unrecorded_late_wakes"
"""Name of a loss: late wakes that a recording tells of by number only, in `WriterTick.stall_count`."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything observed in one tick. Sections that were not read this time are None; the model keeps the last ones."""

    begin_ns: int
    end_ns: int
    wall_ns: int
    writer: WriterTick | None
    writer_missing: str | None = None
    """Why there is no writer report (one sentence), when ``writer`` is None."""
    host: Host | None = None
    settings: Settings | None = None
    """The settings asked of the engine; sent when they change."""
    nodes: tuple[NodeSample, ...] | None = None
    zones: tuple[Zone, ...] | None = None
    vmstat: Mapping[str, int] | None = None
    pressure: tuple[Pressure, ...] | None = None
    knobs: Mapping[str, KnobState] | None = None
    cost: Cost | None = None
    marks: tuple[Mark, ...] = ()
    losses: Mapping[str, int] = field(default_factory=dict)
    """What was dropped in this tick, by name: ticks, stalls, late_ticks."""
    notices: tuple[str, ...] = ()
    """One-sentence facts the user must see (degraded permissions, a failed read)."""
    traces: tuple[StallTrace, ...] = ()
    """Kernel evidence of this tick's stalls; may come later than the stall, never earlier."""
    traces_awaited_ns: int | None = None
    """Evidence of stalls planned since then is here but not made into events yet (a slow host); None: nothing is awaited."""
    tracer: Tracer | None = None
    disturbances: tuple[Disturbance, ...] = ()
    watches: tuple[Watch, ...] | None = None
    cpu_times: tuple[CpuTime, ...] | None = None
