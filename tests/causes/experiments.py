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

from tests.causes.rig import MIB, Disk, Rig
from wlat_tui.frame import Mode, Settings

MS = 1_000_000
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
def stopping(rig: Rig) -> Iterator[list[int]]:
    """Stops the engine for a while, again and again."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.7):
            os.kill(rig.engine_pid, signal.SIGSTOP)
            time.sleep(0.4)
            os.kill(rig.engine_pid, signal.SIGCONT)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield []
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def second_writer(rig: Rig) -> Iterator[list[int]]:
    with rig.hurting("second_writer", rig.engine_pid) as pids:
        yield pids


@contextlib.contextmanager
def syncing(rig: Rig) -> Iterator[list[int]]:
    with rig.hurting("syncfs", rig.directory, 20) as pids:
        yield pids


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
    Experiment("second writer", ("inode_rwsem",), second_writer, Disk(), quick=True),
    Experiment("second writer, xfs", ("inode_rwsem",), second_writer, Disk("xfs")),
    Experiment("second writer, btrfs", ("inode_rwsem",), second_writer, Disk("btrfs")),
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
        "fsync storm, xfs",
        (*XFS, "folio_lock"),
        in_directory("fsync_storm", count=4),
        Disk("xfs"),
        settings(threshold_ns=MS // 4),
    ),
    Experiment("syncs of the file, btrfs", ("btrfs", "stable_page"), syncing, Disk("btrfs")),
    Experiment(
        "stable pages",
        ("stable_page",),
        syncing,
        Disk(stable_writes=True),
        settings(threshold_ns=MS // 2),
    ),
    Experiment("stable pages, xfs", ("stable_page",), syncing, Disk("xfs", stable_writes=True), settings(threshold_ns=MS // 2)),
    Experiment("page lock", ("folio_lock",), syncing, Disk(), settings(threshold_ns=MS // 4)),
    Experiment(
        "dirty throttling",
        ("dirty_throttling",),
        in_directory("dirty", 256 * MIB),
        Disk(dirty_bytes=8 * MIB),
        settings(write_bytes=16384, interval_ns=20_000),
    ),
    Experiment(
        "memory limit",
        ("memcg_max", "shrinkers", "lru_lock"),
        limited,
        Disk(),
        settings(write_bytes=4096, threshold_ns=MS // 10),
        quick=True,
    ),
    Experiment(
        "zoneinfo readers",
        ("zone_lock",),
        beside("read", "/proc/zoneinfo"),
        Disk(),
        settings(write_bytes=16384, interval_ns=50_000, threshold_ns=60_000),
        pinned=True,
        host_wide="holds the host's zone locks while it runs",
    ),
    Experiment(
        "pagetypeinfo readers",
        ("zone_lock",),
        beside("read", "/proc/pagetypeinfo"),
        Disk(),
        settings(write_bytes=16384, interval_ns=50_000, threshold_ns=60_000),
        pinned=True,
        host_wide="holds the host's zone locks while it runs",
    ),
    Experiment(
        "slabinfo reader",
        ("list_lock",),
        in_directory("partial_slabs", 768 * MIB),
        Disk(size_bytes=2048 * MIB, mkfs=("-b", "1024")),
        settings(write_bytes=4096, interval_ns=20_000, threshold_ns=50_000, segment_bytes=64 * MIB, disk_limit_bytes=256 * MIB),
        host_wide="holds the host's slab locks while it runs",
    ),
)
