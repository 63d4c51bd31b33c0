"""What the scripted source would have seen around its stalls: kernel events, and who disturbed the writer. Nothing is real.

The story: a monitor reads /proc/slabinfo every two seconds and holds the list_lock of buffer_head; page cache that fills node 1
makes the writer reclaim. Every stall is one of the two, or of a kind that the tracer saw too little of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from wlat_tui.evidence import CpuTime, Disturbance, Probe, StallTrace, Thread, TraceEvent, TraceLevel, Tracer, Watch
from wlat_tui.frame import Write, WriteClass

MONITOR = Thread(
    3417, "hostmon", "/usr/bin/python3 /usr/lib/hostmon/collect.py --slabs", "hostmon.service", 1, "/usr/lib/systemd/systemd"
)
"""Who reads /proc/slabinfo."""
_COPIER = Thread(5120, "rsync", "rsync -a /data/ backup:/data/", None, 5099, "/bin/sh /etc/cron.daily/backup")
_DATABASE = Thread(2210, "postgres", "postgres: walwriter", "postgresql.service", 2204, "/usr/lib/postgresql/bin/postgres")
_OWN = Thread(4200, "wlat", "wlat --demo")
_LATENCIES_NS = (200_000, 900_000)
READ_EVERY_NS = 2_000_000_000
FSYNC_EVERY_NS = 3_000_000_000
_CPUS_SHOWN = 4

_WRITE = (
    "ext4_da_write_begin",
    "generic_perform_write",
    "ext4_buffered_write_iter",
    "vfs_write",
    "ksys_write",
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
)
_ALLOCATION = ("alloc_pages_mpol", "folio_alloc_noprof", "__filemap_get_folio", *_WRITE)
_RECLAIM = ("try_to_free_pages", "__alloc_pages_slowpath.constprop.0", "__alloc_frozen_pages_noprof", *_ALLOCATION)
_NODE_RECLAIM = ("__node_reclaim", "node_reclaim", "get_page_from_freelist", "__alloc_frozen_pages_noprof", *_ALLOCATION)
_THROTTLED = ("schedule", "schedule_timeout", "reclaim_throttle", "shrink_node", "do_try_to_free_pages", *_RECLAIM)
_LIST_LOCK = (
    "__pv_queued_spin_lock_slowpath",
    "_raw_spin_lock_irqsave",
    "get_partial_node.part.0",
    "___slab_alloc",
    "__slab_alloc.isra.0",
    "kmem_cache_alloc_noprof",
    "alloc_buffer_head",
    "folio_alloc_buffers",
    "create_empty_buffers",
    "ext4_block_write_begin",
    *_WRITE,
)
_PREEMPTED = ("preempt_schedule_irq", "irqentry_exit", "asm_sysvec_apic_timer_interrupt", *_WRITE[1:])
_LIST_LOCK_CHANCE, _PREEMPTED_CHANCE = 0.4, 0.08
_DISK_SLEEP, _RUNNING = 2, 0
_LIST_LOCK_ADDRESS = 0xFFFF_8881_0004_2A40

_EVENTS = (
    "sched:sched_switch",
    "lock:contention_begin",
    "lock:contention_end",
    "vmscan:mm_vmscan_direct_reclaim_begin",
    "vmscan:mm_vmscan_direct_reclaim_end",
    "vmscan:mm_vmscan_node_reclaim_begin",
    "vmscan:mm_vmscan_node_reclaim_end",
    "vmscan:mm_vmscan_memcg_reclaim_begin",
    "writeback:balance_dirty_pages",
    "writeback:folio_wait_writeback",
)
_DEEP = ("irq:irq_handler_entry", "irq:softirq_entry", "exceptions:page_fault_kernel", "jbd2:jbd2_lock_buffer_stall")


def tracer(privileged: bool, deep: bool) -> Tracer:
    """How the made-up engine traces its writer."""
    why = "" if privileged else "kernel.perf_event_paranoid is 2: events with call chains need CAP_PERFMON"
    probes = [Probe("context_switch", armed=True), *(Probe(name, privileged, why) for name in _EVENTS)]
    probes += [
        Probe(name, privileged and deep, why if not privileged or deep else "on request only", deep=True) for name in _DEEP
    ]
    if privileged:
        return Tracer(TraceLevel.FULL, deep, tuple(probes))
    return Tracer(TraceLevel.SWITCHES, False, tuple(probes), "sudo wlat", why)


def watches(privileged: bool) -> tuple[Watch, ...]:
    """What the made-up host lets wlat notice of others."""
    why, fix = ("", "") if privileged else ("fanotify needs CAP_SYS_ADMIN", "sudo wlat")
    return (
        Watch("reads of slabinfo, zoneinfo and their like", privileged, why, fix),
        Watch("reads in other proc mounts", False, "this kernel has no kprobes", ""),
        Watch("kswapd and kcompactd at work", True),
        Watch("fsync on the same filesystem", privileged, why, fix),
    )


@dataclass(frozen=True, slots=True)
class Around:
    """One frame's evidence."""

    traces: tuple[StallTrace, ...]
    disturbances: tuple[Disturbance, ...]


class ScriptedEvidence:
    """Kernel events of each stall, and the doings of others, drawn at random but the same for every seed."""

    def __init__(self, seed: int, start_ns: int, *, privileged: bool) -> None:
        self._random = Random(seed + 3)
        self._privileged = privileged
        self._next_read_ns = start_ns + READ_EVERY_NS
        self._next_fsync_ns = start_ns + FSYNC_EVERY_NS
        self._ticks: list[dict[str, int]] = [{} for _ in range(_CPUS_SHOWN)]

    def around(self, begin_ns: int, end_ns: int, stalls: tuple[Write, ...], node: int, node_reclaim: bool) -> Around:
        """Everything seen in [begin_ns, end_ns), in which these *stalls* finished on *node*."""
        traces: list[StallTrace] = []
        doings: list[Disturbance] = []
        for stall in stalls:
            events, by = self._stall(stall, node, node_reclaim)
            seen = events if self._privileged else tuple(_bare(events))
            span = (stall.planned_ns - 50_000, stall.end_ns + 20_000)
            traces.append(StallTrace(stall.planned_ns, span[0], span[1], seen))
            doings += by
        return Around(tuple(traces), tuple(doings + list(self._routine(begin_ns, end_ns, bool(doings)))))

    def _stall(self, stall: Write, node: int, node_reclaim: bool) -> tuple[tuple[TraceEvent, ...], list[Disturbance]]:
        kind = self._random.random()
        if stall.write_class is not WriteClass.IN_PAGE and kind < _LIST_LOCK_CHANCE:
            return self._list_lock(stall, node)
        if stall.write_class is WriteClass.IN_PAGE or kind < _LIST_LOCK_CHANCE + _PREEMPTED_CHANCE:
            return self._preempted(stall)
        return self._reclaimed(stall, node, node_reclaim)

    def _list_lock(self, stall: Write, node: int) -> tuple[tuple[TraceEvent, ...], list[Disturbance]]:
        """The reader holds the lock until shortly before the write returns."""
        draw = self._random
        begin, end = stall.begin_ns + draw.randint(2_000, 9_000), stall.end_ns - draw.randint(8_000, 60_000)
        lock = {"lock": f"list_lock of buffer_head, node {node}"}
        numbers = {"lock_addr": _LIST_LOCK_ADDRESS, "flags": 1}
        events = (
            TraceEvent(begin, "contention_begin", stall.cpu, _LIST_LOCK, numbers, lock),
            TraceEvent(end, "contention_end", stall.cpu, _LIST_LOCK[1:], {**numbers, "ret": 0}, lock),
        )
        read_ns = (begin - draw.randint(*_LATENCIES_NS), end + 4_000)
        self._next_read_ns = read_ns[1] + READ_EVERY_NS
        return events, [_read(*read_ns)] if self._privileged else []

    def _reclaimed(self, stall: Write, node: int, node_reclaim: bool) -> tuple[tuple[TraceEvent, ...], list[Disturbance]]:
        """Most of it reclaim; where it is long, a part asleep until others have made progress."""
        draw = self._random
        name, chain = ("node", _NODE_RECLAIM) if node_reclaim else ("direct", _RECLAIM)
        begin, end = stall.begin_ns + draw.randint(3_000, 12_000), stall.end_ns - draw.randint(20_000, 400_000)
        first, last = {"order": 0, "gfp_flags": 0x140CCA}, {"nr_reclaimed": draw.randint(32, 64)}
        events = [
            TraceEvent(
                begin, f"mm_vmscan_{name}_reclaim_begin", stall.cpu, chain, first | {"nid": node} if node_reclaim else first
            )
        ]
        if not node_reclaim and end - begin > 18_000_000:
            asleep = begin + (end - begin) // 3
            awake = asleep + min(8_000_000, (end - begin) // 3)
            events += _switch(stall.cpu, asleep, awake, _THROTTLED, _DISK_SLEEP, ("swapper/2", 0))
        events.append(TraceEvent(end, f"mm_vmscan_{name}_reclaim_end", stall.cpu, chain[1:], last))
        reader = Disturbance("dirtied", "/srv", _COPIER, stall.begin_ns - 90_000_000, stall.end_ns, draw.randint(20, 60) << 20)
        return tuple(events), [reader] if self._privileged else []

    def _preempted(self, stall: Write) -> tuple[tuple[TraceEvent, ...], list[Disturbance]]:
        """Half of it another thread; of the rest nothing is known."""
        begin = stall.begin_ns + self._random.randint(1_000, 5_000)
        middle = begin + (stall.end_ns - begin) // 2
        by = Thread(61, "kworker/2:1H", "")
        taken = Disturbance("preempted", f"CPU {stall.cpu}", by, begin, middle, 1, middle - begin)
        return tuple(_switch(stall.cpu, begin, middle, _PREEMPTED, _RUNNING, (by.comm, by.pid))), [taken]

    def _routine(self, begin_ns: int, end_ns: int, reclaiming: bool) -> Iterator[Disturbance]:
        """What goes on beside, stall or not."""
        if reclaiming:
            yield Disturbance("cpu", "kswapd1", Thread(91, "kswapd1"), begin_ns, end_ns, 1, (end_ns - begin_ns) // 3)
        if not self._privileged:
            return
        if begin_ns >= self._next_read_ns:
            self._next_read_ns += READ_EVERY_NS
            yield _read(begin_ns, begin_ns + self._random.randint(*_LATENCIES_NS))
        if begin_ns >= self._next_fsync_ns:
            self._next_fsync_ns += FSYNC_EVERY_NS
            yield Disturbance("fsync", "/srv", _DATABASE, begin_ns, begin_ns + 3_000_000, 1, 3_000_000)

    def own_read(self, at_ns: int) -> Disturbance:
        """wlat's own reading of zoneinfo."""
        return Disturbance("read", "/proc/zoneinfo", _OWN, at_ns, at_ns + 40_000, 1, 40_000, own=True)

    def cpu_times(self, seconds: float) -> tuple[CpuTime, ...]:
        """A quiet /proc/stat, *seconds* later."""
        for ticks in self._ticks:
            for name, share in (("user", 3), ("system", 5), ("idle", 91), ("irq", 1), ("softirq", 0), ("steal", 0)):
                ticks[name] = ticks.get(name, 0) + round(share * seconds)
        return tuple(CpuTime(cpu, dict(ticks)) for cpu, ticks in enumerate(self._ticks))


def _read(begin_ns: int, end_ns: int) -> Disturbance:
    return Disturbance("read", "/proc/slabinfo", MONITOR, begin_ns, end_ns, 1, end_ns - begin_ns)


def _switch(cpu: int, out_ns: int, in_ns: int, chain: tuple[str, ...], state: int, to: tuple[str, int]) -> list[TraceEvent]:
    """The writer leaves the CPU and comes back."""
    bare = "switch_out" if state else "switch_out_preempted"
    numbers = {"prev_state": state, "next_pid": to[1]}
    return [
        TraceEvent(out_ns, "sched_switch", cpu, ("__schedule", *chain), numbers, {"next_comm": to[0]}),
        TraceEvent(out_ns + 400, bare, cpu),
        TraceEvent(in_ns, "switch_in", cpu),
    ]


def _bare(events: tuple[TraceEvent, ...]) -> Iterator[TraceEvent]:
    """What is left without permission for events: that the thread left its CPU and came back."""
    yield from (event for event in events if event.name.startswith("switch_"))
