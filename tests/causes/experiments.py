"""Causes produced for real, one entry each: how, on what, and what a stall may then rightly be called."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.causes.hurt import IMPORTANT
from tests.causes.rig import MIB, Disk, Impossible, Rig
from wlat_tui.frame import Mode, Settings

MS = 1_000_000
FULL_WITHIN_S = 400
"""A hypervisor may hand out memory that was never used at a tenth of a gigabyte a second."""
ZONEINFO_CPUS = 32
"""A zone's lock is held while each CPU's lists are printed."""
Load = Callable[[Rig], AbstractContextManager[list[int]]]
"""Gets in the way until the block ends; yields the pids that do it."""

SMALL = Settings(threshold_ns=MS, segment_bytes=16 * MIB, disk_limit_bytes=64 * MIB, tick_ns=100 * MS, fifo_priority=10)
"""Real-time, so that what else runs on the machine neither delays nor preempts it: this is about one cause at a time."""
ORDINARY = replace(SMALL, fifo_priority=0)
JOURNAL = ("jbd2_transaction", "jbd2_log_space", "jbd2_buffer", "jbd2_state_lock")
XFS = ("xfs_ilock", "xfs_cil", "xfs_log_grant")
CPU = ("preempted", "run_queue")


@dataclass(frozen=True, slots=True)
class Experiment:
    """One cause, produced."""

    name: str
    expected: tuple[str, ...]
    """What its stalls may be called: the mechanism has several faces (which lock, which wait) that one load shows."""
    load: Load
    disk: Disk | None = None
    """None: the host's own filesystem."""
    settings: Settings = SMALL
    pinned: bool = False
    """The writer is pinned to one CPU, and the load may act on that CPU."""
    platform: bool = False
    """It is about the CPU: late wakes count too. Else only writes that were slow themselves do."""
    by_load: bool = False
    """The verdict must also name the load's process."""
    above_background: bool = False
    """Only what stands out from the writes before the load is counted: ``threshold_ns`` is the least that it may be."""
    locked: bool = True
    """Whether the engine may lock its memory."""
    host_wide: str | None = None
    """What it does to others on this host; None: nothing worth a word."""
    quick: bool = False
    """Robust and short enough for every run of the suite."""


def hurt(way: str, *arguments: object, count: int = 1) -> Load:
    return lambda rig: rig.hurting(way, *arguments, count=count)


def on_cpu(way: str, *arguments: object) -> Load:
    """On the writer's CPU."""
    return lambda rig: rig.hurting(way, rig.writer_cpu, *arguments)


def beside(way: str, *arguments: object) -> Load:
    """On another CPU than the writer's."""

    def load(rig: Rig) -> AbstractContextManager[list[int]]:
        others = sorted(os.sched_getaffinity(0) - {rig.writer_cpu})
        return rig.hurting(way, others[0] if others else rig.writer_cpu, *arguments)

    return load


def in_directory(way: str, *arguments: object, count: int = 1) -> Load:
    return lambda rig: rig.hurting(way, rig.directory, *arguments, count=count)


@contextlib.contextmanager
def nothing(_rig: Rig) -> Iterator[list[int]]:
    yield []


@contextlib.contextmanager
def limited(rig: Rig) -> Iterator[list[int]]:
    with rig.memory_limit(24 * MIB):
        yield []


@contextlib.contextmanager
def above_high(rig: Rig) -> Iterator[list[int]]:
    with rig.memory_limit(24 * MIB, high=True):
        yield []


@contextlib.contextmanager
def without_kswapd(rig: Rig) -> Iterator[list[int]]:
    """The cache is full, is filled on, and kswapd does not come to its turn to make room ahead."""
    others = sorted(os.sched_getaffinity(0) - {rig.writer_cpu})
    if not others:
        raise Impossible("with one CPU the writer would wait for that instead")
    node = next(Path(f"/sys/devices/system/cpu/cpu{rig.writer_cpu}").glob("node[0-9]*")).name.removeprefix("node")
    with rig.hurting("fill_cache", others[0], rig.directory, count=2) as pids:
        for _ in range(FULL_WITHIN_S):
            if kswapd_works():
                break
            time.sleep(1)
        else:
            raise Impossible(f"memory is not full after {FULL_WITHIN_S} s of reading")
        # what else wants this CPU is another matter
        os.setpriority(os.PRIO_PROCESS, rig.writer_tid, -20)
        # those readers never sleep: on their CPU kswapd hardly runs
        for pid in pids:
            os.setpriority(os.PRIO_PROCESS, pid, IMPORTANT)
        with rig.hurting("starve_kswapd", others[0], node):
            yield pids


def kswapd_works(within_s: float = 0.5) -> bool:
    """Whether pages are being scanned by kswapd."""

    def scanned() -> int:
        rows = dict(line.split() for line in Path("/proc/vmstat").read_text().splitlines())
        return int(rows["pgscan_kswapd"])

    before = scanned()
    time.sleep(within_s)
    return scanned() > before


def reclaiming_locally(mode: int) -> Load:
    """zone_reclaim_mode, with the page cache of the writer's node full."""

    @contextlib.contextmanager
    def load(rig: Rig) -> Iterator[list[int]]:
        if not Path("/sys/devices/system/node/node1").exists():
            raise Impossible("this host has one memory node")
        knob = Path("/proc/sys/vm/zone_reclaim_mode")
        before = knob.read_text()
        node = next(Path(f"/sys/devices/system/cpu/cpu{rig.writer_cpu}").glob("node[0-9]*"))
        total_kb = next(int(line.split()[3]) for line in (node / "meminfo").read_text().splitlines() if "MemTotal" in line)
        try:
            # full first: a reader that goes on would make room for the writer, too
            with rig.hurting("filled_cache", rig.writer_cpu, rig.directory, total_kb << 10) as pids:
                knob.write_text(str(mode))
                yield pids
        finally:
            knob.write_text(before)

    return load


def reading_zoneinfo(rig: Rig) -> AbstractContextManager[list[int]]:
    if (os.cpu_count() or 1) < ZONEINFO_CPUS:
        raise Impossible("with so few CPUs a zone is printed within microseconds: nobody stalls for that")
    return beside("read", "/proc/zoneinfo")(rig)


@contextlib.contextmanager
def stopping(rig: Rig) -> Iterator[list[int]]:
    """Stops the engine for a while, again and again."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.7):
            os.kill(rig.engine_pid, signal.SIGSTOP)
            begin_ns = time.monotonic_ns()
            time.sleep(0.4)
            rig.stopped.append((begin_ns, time.monotonic_ns()))
            os.kill(rig.engine_pid, signal.SIGCONT)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield []
    finally:
        done.set()
        thread.join()


def at_files(way: str, *arguments: object) -> Load:
    """At the files that the engine has open."""
    return lambda rig: rig.hurting(way, rig.engine_pid, *arguments)


def second_writer(rig: Rig) -> AbstractContextManager[list[int]]:
    return rig.hurting("second_writer", rig.engine_pid, rig.writer_cpu)


def settings(**more: object) -> Settings:
    return replace(SMALL, **more)  # type: ignore[arg-type]


EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment("quiet", (), nothing, Disk()),
    Experiment("suspended", ("suspended",), stopping, Disk(), quick=True),
    Experiment(
        "fifo hog, writer asleep",
        CPU,
        on_cpu("fifo_hog", 4, 6),
        Disk(),
        ORDINARY,
        pinned=True,
        platform=True,
        by_load=True,
        quick=True,
    ),
    Experiment(
        "fifo hog, writer spinning",
        CPU,
        on_cpu("fifo_hog", 4, 6),
        Disk(),
        settings(mode=Mode.SPIN, fifo_priority=0),
        pinned=True,
        platform=True,
        by_load=True,
        quick=True,
    ),
    Experiment(
        "real-time spinning",
        ("rt_throttling",),
        on_cpu("burn"),
        Disk(),
        settings(mode=Mode.SPIN),
        pinned=True,
        platform=True,
        by_load=True,
        quick=True,
    ),
    Experiment("filesystem frozen", ("frozen",), in_directory("freeze", 20, 200), Disk(), quick=True),
    Experiment(
        "second writer",
        ("inode_rwsem",),
        second_writer,
        Disk(),
        settings(threshold_ns=MS // 4),
        pinned=True,
        quick=True,
    ),
    Experiment("second writer, xfs", ("inode_rwsem",), second_writer, Disk("xfs"), settings(threshold_ns=MS // 4), pinned=True),
    Experiment(
        "fsync storm, small journal",
        JOURNAL,
        in_directory("fsync_storm", count=4),
        Disk(mkfs=("-J", "size=4")),
    ),
    Experiment(
        "journal full",
        JOURNAL,
        in_directory("metadata_storm", count=3),
        Disk(mkfs=("-J", "size=4")),
    ),
    Experiment(
        "syncs of the filesystem, xfs",
        (*XFS, "folio_lock"),
        in_directory("syncfs", 5),
        Disk("xfs"),
        settings(threshold_ns=2 * MS // 5),
    ),
    Experiment("syncs of the file, btrfs", ("btrfs", "stable_page"), in_directory("syncfs", 20), Disk("btrfs")),
    Experiment(
        "stable pages",
        ("stable_page",),
        at_files("write_out", 10),
        Disk(stable_writes=True),
        settings(threshold_ns=MS // 2),
    ),
    Experiment(
        "stable pages, xfs",
        ("stable_page",),
        at_files("write_out", 10),
        Disk("xfs", stable_writes=True),
        settings(threshold_ns=MS // 2),
    ),
    Experiment(
        "dirty throttling",
        ("dirty_throttling",),
        in_directory("dirty", 256 * MIB),
        Disk(dirty_bytes=8 * MIB),
        settings(write_bytes=65536, threshold_ns=5 * MS),
    ),
    Experiment(
        "uncached overwrite",
        ("sync_read",),
        at_files("evict_ahead", 16 * MIB),
        None,
        settings(threshold_ns=2 * MS // 5),
    ),
    Experiment(
        "uncached overwrite, xfs",
        ("sync_read",),
        at_files("evict_ahead", 16 * MIB),
        Disk("xfs"),
        settings(threshold_ns=MS // 5),
    ),
    Experiment(
        "page faults",
        ("page_fault_major", "page_fault_minor"),
        lambda rig: rig.hurting("page_out", rig.engine_pid, rig.scratch),
        Disk(),
        settings(threshold_ns=MS // 5),
        locked=False,
        host_wide="has a swap file of 64 MiB for that time",
    ),
    Experiment(
        "memory limit",
        ("memcg_max", "shrinkers", "lru_lock"),
        limited,
        Disk(mkfs=("-b", "1024")),
        # four buffer heads to each page: reclaim takes longer than a hypervisor does to fetch memory
        settings(write_bytes=4096, interval_ns=MS // 4, threshold_ns=220_000),
        pinned=True,
        quick=True,
    ),
    Experiment(
        "memory.high",
        ("memcg_high",),
        above_high,
        Disk(),
        settings(write_bytes=4096, threshold_ns=MS // 10),
    ),
    Experiment(
        "direct reclaim",
        ("direct_reclaim", "reclaim_throttle"),
        without_kswapd,
        None,
        # real-time threads may use the reserves
        replace(ORDINARY, write_bytes=16384, interval_ns=5 * MS, threshold_ns=2 * MS // 5),
        pinned=True,
        host_wide="evicts what the host has cached, and holds kswapd up",
    ),
    Experiment(
        "node reclaim, mode 1",
        ("node_reclaim",),
        reclaiming_locally(1),
        None,
        settings(write_bytes=16384, threshold_ns=MS // 4),
        pinned=True,
        host_wide="evicts what the host has cached",
    ),
    Experiment(
        "node reclaim, mode 7",
        ("node_reclaim", "shrinkers", "lru_lock"),
        reclaiming_locally(7),
        None,
        settings(write_bytes=16384, threshold_ns=MS // 4),
        pinned=True,
        host_wide="evicts what the host has cached",
    ),
    Experiment(
        "zoneinfo readers",
        ("zone_lock",),
        reading_zoneinfo,
        Disk(),
        settings(write_bytes=16384, interval_ns=500_000, threshold_ns=60_000),
        pinned=True,
        by_load=True,
        host_wide="holds the host's zone locks while it runs",
    ),
    Experiment(
        "pagetypeinfo readers",
        ("zone_lock",),
        beside("read", "/proc/pagetypeinfo"),
        Disk(),
        settings(write_bytes=16384, interval_ns=500_000, threshold_ns=3 * MS // 10),
        pinned=True,
        by_load=True,
        host_wide="holds the host's zone locks while it runs",
    ),
    Experiment(
        "slabinfo reader",
        ("list_lock",),
        lambda rig: beside("partial_slabs", rig.directory, 768 * MIB)(rig),
        Disk(size_bytes=2048 * MIB, mkfs=("-b", "1024")),
        settings(write_bytes=4096, interval_ns=100_000, threshold_ns=MS // 4),
        pinned=True,
        by_load=True,
        host_wide="holds the host's slab locks while it runs",
    ),
)
