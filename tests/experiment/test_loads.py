"""Loads do what they say, leave nothing, and never outlive the one who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.e2e.terminal import eventually
from wlat_tui.kernel.mounts import disk_refusal, read_target
from wlat_tui.loads import Load, LoadError, Running, catalogue
from wlat_tui.loads.fsync import FsyncNeighbour
from wlat_tui.loads.page_cache import PageCache
from wlat_tui.loads.slabinfo import SlabinfoReader

SMALL = 8 << 20
STARTER = """
import sys, time
from pathlib import Path
from wlat_tui.loads import Running, catalogue
load = Running(catalogue()[sys.argv[1]](), Path(sys.argv[2]))
print(load.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A directory on a real filesystem; nothing may be left in it."""
    target = read_target(tmp_path)
    if target is not None and (refusal := disk_refusal(target)) is not None:
        pytest.skip(f"needs a temporary directory on a disk: {refusal}")
    return tmp_path


@contextmanager
def at_work(load: Load, directory: Path) -> Iterator[psutil.Process]:
    running = Running(load, directory)
    try:
        yield psutil.Process(running.pid)
        running.check()
    finally:
        running.stop()
    assert not psutil.pid_exists(running.pid)
    assert os.listdir(directory) == []


def test_it_says_when_its_work_begins(disk: Path) -> None:
    running = Running(FsyncNeighbour(), disk)
    try:
        eventually(lambda: running.at_work, "it has begun")
        assert running.at_work
    finally:
        running.stop()


def grows(process: psutil.Process, figure: Callable[[psutil.Process], int]) -> None:
    before = figure(process)
    eventually(lambda: figure(process) > before, "it is at work")


def test_the_page_cache_is_filled_without_the_disk(disk: Path) -> None:
    with at_work(PageCache(size_bytes=SMALL), disk) as reader:
        eventually(lambda: reader.io_counters().read_chars > 2 * SMALL, "it was read twice")
        assert reader.io_counters().write_bytes < SMALL // 100, "no more than the inode"


def test_a_reader_of_one_node_runs_on_its_cpus(disk: Path) -> None:
    from wlat_tui.loads.page_cache import cpus_of

    if not (cpus := cpus_of(0)):
        pytest.skip("this kernel knows no nodes")
    with at_work(PageCache(node=0, size_bytes=SMALL), disk) as reader:
        eventually(lambda: reader.io_counters().read_chars > 2 * SMALL, "it was read twice")
        assert set(reader.cpu_affinity()) == set(cpus) & os.sched_getaffinity(0)


def test_a_neighbour_writes_and_waits_for_the_disk(disk: Path) -> None:
    with at_work(FsyncNeighbour(every_ns=1_000_000), disk) as neighbour:
        grows(neighbour, lambda process: int(process.io_counters().write_bytes))


@pytest.mark.root
def test_slabinfo_is_read_over_and_over(disk: Path) -> None:
    with at_work(SlabinfoReader(every_ns=100_000_000), disk) as reader:
        grows(reader, lambda process: int(process.io_counters().read_chars))


@pytest.mark.parametrize("name", sorted(set(catalogue()) - {"slabinfo"}))
def test_a_load_ends_with_the_one_who_started_it(disk: Path, name: str) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTER, name, str(disk)], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        load = psutil.Process(int(starter.stdout.readline()))
        os.kill(starter.pid, signal.SIGKILL)
    eventually(lambda: not load.is_running() or load.status() == psutil.STATUS_ZOMBIE, "the load is gone")


def test_a_load_that_died_is_noticed(disk: Path) -> None:
    running = Running(FsyncNeighbour(), disk)
    try:
        os.kill(running.pid, signal.SIGKILL)
        eventually(lambda: _gone(running), "its end is noticed")
    finally:
        running.stop()


def _gone(running: Running) -> bool:
    try:
        running.check()
    except LoadError as error:
        return "the load fsync is gone: ended with status -9" in str(error)
    return False


def test_what_a_load_could_not_do_is_said(disk: Path) -> None:
    assert "there is no node 4000 with CPUs" in str(PageCache(node=4000).unavailable(disk))
    assert "No such file" in str(FsyncNeighbour().unavailable(disk / "nowhere"))
    running = Running(PageCache(node=4000), disk)
    try:
        eventually(lambda: running._process.poll() is not None, "it has ended")
        with pytest.raises(LoadError, match="the load page-cache is gone: Invalid argument"):
            running.check()
    finally:
        running.stop()
