"""Hand-written traces: chains are those measured on 6.18 and in 6.12 guests."""

from __future__ import annotations

from wlat_tui.causes import Circumstances
from wlat_tui.evidence import Probe, StallTrace, TraceEvent, TraceLevel, Tracer
from wlat_tui.frame import Host, KnobState, Settings, Target, Write, WriteClass

TID = 4000
PLAN = 1_000_000_000
US = 1_000
MS = 1_000_000

WRITE_PATH = "generic_perform_write ext4_buffered_write_iter vfs_write ksys_write do_syscall_64 entry_SYSCALL_64_after_hwframe"
PROBES = (
    "sched:sched_switch",
    "sched:sched_waking",
    "lock:contention_begin",
    "vmscan:mm_vmscan_direct_reclaim_begin",
    "vmscan:mm_vmscan_memcg_reclaim_begin",
    "vmscan:mm_vmscan_node_reclaim_begin",
    "vmscan:mm_vmscan_throttled",
    "vmscan:mm_shrink_slab_start",
    "compaction:mm_compaction_begin",
    "writeback:balance_dirty_pages",
    "writeback:folio_wait_writeback",
    "irq:irq_handler_entry",
    "irq:softirq_entry",
)
FULL = Tracer(TraceLevel.FULL, False, tuple(Probe(name, True) for name in PROBES))
SWITCHES = Tracer(
    TraceLevel.SWITCHES,
    False,
    (Probe("context_switch", True), *(Probe(name, False, "not permitted") for name in PROBES)),
    fix="sysctl kernel.perf_event_paranoid=-1",
    why="perf_event_paranoid is 2",
)


def a_stall(service_ns: int, wake_ns: int = 2 * US, write_class: WriteClass = WriteClass.NEW_PAGE, backlog: int = 0) -> Write:
    return Write(PLAN, PLAN + wake_ns, PLAN + wake_ns + service_ns, 4096, 0, write_class, 1, backlog)


def chain(text: str) -> tuple[str, ...]:
    """With the outer frames of a write(). The inode's lock is taken before generic_perform_write."""
    path = WRITE_PATH.split()
    return (*text.split(), *(path[1:] if text.startswith("rwsem_down_write") else path))


def event(at_us: float, name: str, frames: str | tuple[str, ...] = (), /, **fields: int | str) -> TraceEvent:
    """An event so many microseconds after the plan."""
    return TraceEvent(
        PLAN + round(at_us * US),
        name,
        1,
        chain(frames) if isinstance(frames, str) else frames,
        {key: value for key, value in fields.items() if isinstance(value, int)},
        {key: value for key, value in fields.items() if isinstance(value, str)},
    )


def out(at_us: float, frames: str, state: int = 2, by: int = 0, comm: str = "swapper/1", **more: int | str) -> TraceEvent:
    """The writer leaves its CPU."""
    return event(at_us, "sched_switch", frames, prev_pid=TID, prev_state=state, next_pid=by, next_comm=comm, **more)


def back(at_us: float, by: int = 0, comm: str = "swapper/1") -> TraceEvent:
    """The writer is on its CPU again."""
    return event(at_us, "sched_switch", prev_pid=by, prev_comm=comm, prev_state=0, next_pid=TID, next_comm="writer")


def waking(at_us: float) -> TraceEvent:
    return event(at_us, "sched_waking", pid=TID)


def a_trace(*events: TraceEvent, from_us: float = -100, to_us: float = 1e6, lost: int = 0) -> StallTrace:
    return StallTrace(PLAN, PLAN + round(from_us * US), PLAN + round(to_us * US), events, lost)


def known(**more: object) -> Circumstances:
    fields: dict[str, object] = {"tracer": FULL, "writer_tid": TID, "settings": Settings(threshold_ns=1 * MS), "host": a_host()}
    return Circumstances(**fields | more)  # type: ignore[arg-type]


def a_host(filesystem: str = "ext4", kernel: str = "6.18.44", mglru: str | None = None) -> Host:
    target = Target("/data", "/data", filesystem, "/dev/vdb", "rw,relatime", False, False)
    return Host("box", kernel, 4096, (0, 1), (), target, "tsc", mglru, "root")


def knob(value: str) -> KnobState:
    return KnobState(value, None)
