"""What only root can show: proof by the kernel's own counters, full and failing disks, privileges given up."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.groups import remove_group
from tests.test_engine import MIB, SMALL, Seen, running, watch
from wlat_tui import engine_client
from wlat_tui.engine_client import Engine
from wlat_tui.frame import Frame, Mode, Policy, Prewarm, WriteClass
from wlat_tui.kernel.host import read_host
from wlat_tui.mitigations.refusals import refusals
from wlat_tui.model.session import Session

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: tracefs, loop mounts, real-time priority"),
]

EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), fs/ext4/ext4.h
SHUTDOWN_WITHOUT_FLUSH = (2).to_bytes(4, "little")


@contextmanager
def tracefs(directory: Path) -> Iterator[Path]:
    """A mount of tracefs for this test alone."""
    directory.mkdir()
    done = subprocess.run(["mount", "-t", "tracefs", "none", str(directory)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"tracefs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@contextmanager
def allocations_of(tid: int, mounted: Path) -> Iterator[Path]:
    """A private trace instance that records this thread's new page-cache pages and buffer heads."""
    instance = mounted / "instances" / f"wlat-test-{os.getpid()}"
    try:
        instance.mkdir()
    except OSError as error:
        pytest.skip(f"no trace instance can be made here: {error.strerror}")
    try:
        for event, condition in (
            ("filemap/mm_filemap_add_to_page_cache", f"common_pid=={tid}"),
            ("kmem/kmem_cache_alloc", f'common_pid=={tid} && name=="buffer_head"'),
        ):
            (instance / "events" / event / "filter").write_text(condition)
            (instance / "events" / event / "enable").write_text("1")
        yield instance
    finally:
        (instance / "events" / "enable").write_text("0")
        instance.rmdir()


async def allocated(engine: Engine, seen: Seen, kind: WriteClass, mounted: Path) -> tuple[int, int, int]:
    """Writes of this kind, pages added and buffer heads allocated by the writer, while it meets no other kind of new page."""
    other = WriteClass.PREPARED if kind == WriteClass.NEW_PAGE else WriteClass.NEW_PAGE
    first = await watch(engine, seen, lambda tick: tick.writes[kind] > 0 and tick.writes[other] == 0)
    with allocations_of(first.tid, mounted) as instance:
        begun = len(seen.ticks)
        await watch(engine, seen, lambda _: sum(tick.writes[kind] for tick in seen.ticks[begun:]) >= 400)
        text = (instance / "trace").read_text()
    assert sum(tick.writes[other] for tick in seen.ticks[begun:]) == 0
    touched = sum(tick.writes[kind] for tick in seen.ticks[begun:])
    return touched, text.count("mm_filemap_add_to_page_cache:"), text.count("kmem_cache_alloc:")


async def test_writes_into_prepared_pages_allocate_neither_pages_nor_buffer_heads(tmp_path: Path) -> None:
    settings = replace(SMALL, segment_bytes=64 * MIB, prewarm_bytes=16 * MIB, disk_limit_bytes=256 * MIB)
    with tracefs(tmp_path / "tracing") as mounted:
        async with running(settings, tmp_path) as (engine, seen):
            touched, pages, heads = await allocated(engine, seen, WriteClass.NEW_PAGE, mounted)
            assert pages >= touched * 0.8, "the control: unprepared pages are allocated by the writer"
            if heads == 0:
                pytest.skip("this filesystem has no buffer heads")
            assert heads >= touched * 0.8
            await engine.change(replace(settings, prewarm=Prewarm.WRITE))
            touched, pages, heads = await allocated(engine, seen, WriteClass.PREPARED, mounted)
            assert touched >= 400
            assert (pages, heads) == (0, 0)


@contextmanager
def small_ext4(directory: Path, size_bytes: int) -> Iterator[Path]:
    """An ext4 filesystem in a file, mounted."""
    if shutil.which("mkfs.ext4") is None or not Path("/dev/loop-control").exists():
        pytest.skip("no mkfs.ext4 or no loop devices here")
    image, mounted = directory / "image", directory / "mounted"
    with image.open("wb") as file:
        file.truncate(size_bytes)
    mounted.mkdir()
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", str(image)], check=True)
    if (done := subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], capture_output=True, text=True)).returncode:
        pytest.skip(f"a loop mount is refused here: {done.stderr.strip()}")
    try:
        yield mounted
    finally:
        if mounted.is_mount():  # a test may have done it itself
            subprocess.run(["umount", str(mounted)], check=True)


def fill(path: Path) -> None:
    """Write until the filesystem is full."""
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        file.writelines(itertools.repeat(b"x" * 65536))


async def test_a_full_disk_is_said_and_the_writer_resumes_when_there_is_room(tmp_path: Path) -> None:
    settings = replace(SMALL, interval_ns=50_000, write_bytes=1000)
    with small_ext4(tmp_path, 64 * MIB) as disk:
        async with running(settings, disk) as (engine, seen):
            await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
            fill(disk / "filler")
            tick = await watch(engine, seen, lambda tick: tick.trouble != 0 and tick.error_slots > 0)
            tick = await watch(engine, seen, lambda tick: tick.error == errno.ENOSPC)
            assert tick.trouble_since_ns > 0
            (disk / "filler").unlink()
            await watch(engine, seen, lambda tick: tick.trouble == 0 and sum(tick.writes) > 100)
        assert all(histogram.total == seen.writes for histogram in seen.counts.values())


async def test_it_never_takes_the_last_of_a_disk(tmp_path: Path) -> None:
    settings = replace(SMALL, interval_ns=50_000, write_bytes=4000, disk_limit_bytes=1 << 30)
    with small_ext4(tmp_path, 64 * MIB) as disk:
        total = os.statvfs(disk).f_blocks * os.statvfs(disk).f_frsize
        async with running(settings, disk) as (engine, seen):
            await watch(
                engine, seen, lambda tick: tick.written_bytes > 0 and sum(t.written_bytes for t in seen.ticks) > 2 * total
            )
            assert not any(tick.error for tick in seen.ticks)
            space = os.statvfs(disk)
            assert space.f_bavail * space.f_frsize > total / 20 - 3 * settings.segment_bytes


async def test_a_failing_filesystem_is_said_and_leaving_still_works(tmp_path: Path) -> None:
    with small_ext4(tmp_path, 64 * MIB) as disk:
        async with running(SMALL, disk) as (engine, seen):
            await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
            directory = os.open(disk, os.O_RDONLY)
            try:
                fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, SHUTDOWN_WITHOUT_FLUSH)
            finally:
                os.close(directory)
            tick = await watch(engine, seen, lambda tick: tick.trouble == 2 and tick.error_slots > 0)
            assert tick.error in (errno.EIO, errno.EROFS, errno.ESHUTDOWN)
            later = await watch(engine, seen, lambda tick: tick.error_slots > 0)
            assert later.trouble_since_ns == tick.trouble_since_ns


async def test_priority_policy_and_place_are_put_in_force_and_reported(tmp_path: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    settings = replace(
        SMALL, fifo_priority=2, policy=Policy.BIND, policy_nodes=(0,), cpus=(cpus[-1],), dma_latency_us=50, mode=Mode.SLEEP
    )
    async with running(SMALL, tmp_path) as (engine, seen):
        seq = await engine.change(settings)
        tick = await watch(engine, seen, lambda tick: tick.settings_seq >= seq and sum(tick.writes) > 0)
        tick = await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
        assert not {"cpus", "policy", "fifo"} & set(tick.refused)
        assert (tick.sched_policy, tick.sched_priority, tick.cpu) == (os.SCHED_FIFO, 2, cpus[-1])
        assert "bind:0" in Path(f"/proc/{engine.pid}/task/{tick.tid}/numa_maps").read_text()
        if len(cpus) > 1:
            for task in Path(f"/proc/{engine.pid}/task").iterdir():
                assert (cpus[-1] in os.sched_getaffinity(int(task.name))) == (int(task.name) == tick.tid)
        seq = await engine.change(replace(settings, policy_nodes=(1000,), cpus=(4095,)))
        tick = await watch(engine, seen, lambda tick: tick.settings_seq >= seq)
        assert tick.refused["policy"] == errno.EINVAL
        assert tick.refused["cpus"] == errno.EINVAL
        assert tick.cpu == cpus[-1], "it stays where it was"


def test_becoming_a_user_keeps_four_capabilities_and_no_root(tmp_path: Path) -> None:
    program = (
        "from wlat_tui.engine import become; become(65534, 65534); import os; "
        "print(os.getresuid(), os.getresgid(), os.getgroups()); print(open('/proc/self/status').read())"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.startswith("(65534, 65534, 65534) (65534, 65534, 65534) [65534]\n")
    status = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    nice, ipc_lock, perfmon, resource = (1 << n for n in (23, 14, 38, 24))
    assert int(status["CapPrm"], 16) & ~(nice | ipc_lock | perfmon | resource) == 0
    assert int(status["CapEff"], 16) & ~(nice | ipc_lock | perfmon) == 0
    assert int(status["CapEff"], 16) & nice
    assert status["NoNewPrivs"] == "1"


@contextmanager
def without_rt_budget(pid: int) -> Iterator[None]:
    """A new group of the cpu controller (cgroup v1), which has no real-time budget, with just this process in it."""
    cpu = next(
        (Path("/sys/fs/cgroup") / name for name in ("cpu", "cpu,cpuacct") if (Path("/sys/fs/cgroup") / name).is_dir()), None
    )
    if cpu is None or not (cpu / "cpu.rt_runtime_us").exists():
        pytest.skip("needs the cpu controller of cgroup v1 and CONFIG_RT_GROUP_SCHED")
    home = cpu / Path(f"/proc/{pid}/cgroup").read_text().partition(":cpu")[2].partition(":")[2].splitlines()[0].lstrip("/")
    group = cpu / f"wlat-test-{os.getpid()}"
    group.mkdir()
    try:
        assert (group / "cpu.rt_runtime_us").read_text().strip() == "0"
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        if Path(f"/proc/{pid}").exists():
            (home / "cgroup.procs").write_text(str(pid))
        remove_group(group)


async def test_a_group_without_real_time_budget_refuses_fifo_and_the_screen_says_why(tmp_path: Path) -> None:
    async with running(SMALL, tmp_path) as (engine, seen):
        with without_rt_budget(engine.pid):
            seq = await engine.change(replace(SMALL, fifo_priority=2))
            tick = await watch(engine, seen, lambda tick: tick.settings_seq >= seq and sum(tick.writes) > 0)
            assert tick.refused["fifo"] == errno.EPERM
            assert tick.sched_policy == os.SCHED_OTHER
            session = Session()
            host = read_host(tmp_path, "root")
            settings = replace(SMALL, fifo_priority=2)
            session.fold(Frame(tick.begin_ns, tick.end_ns, tick.wall_ns, tick, host=host, settings=settings))
            (refusal,) = refusals(session)
            assert "no real-time budget" in refusal.reason
            assert refusal.fix == "wlat doctor"
        await engine.change(SMALL)
        seq = await engine.change(replace(SMALL, fifo_priority=2))
        tick = await watch(engine, seen, lambda tick: tick.settings_seq >= seq and sum(tick.writes) > 0)
        assert (tick.sched_policy, tick.refused) == (os.SCHED_FIFO, {})


def test_doctor_names_the_group_without_real_time_budget_and_what_helps() -> None:
    program = "import sys; sys.stdin.readline(); from wlat_tui.cli import main; main(['doctor', '--json'])"
    doctor = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with doctor, without_rt_budget(doctor.pid):
        said = json.loads(doctor.communicate("go\n", timeout=60)[0])
    (fifo,) = [finding for finding in said["findings"] if finding["name"] == "SCHED_FIFO"]
    assert "no real-time budget" in fifo["here"]
    assert f"wlat-test-{os.getpid()}/cpu.rt_runtime_us" in fifo["fix"]


@contextmanager
def freezable(pid: int) -> Iterator[Callable[[bool], None]]:
    """A cgroup with just this process in it; the function freezes and thaws it."""
    old, new = Path("/sys/fs/cgroup/freezer"), Path("/sys/fs/cgroup")
    group = (old if old.is_dir() else new) / f"wlat-test-{os.getpid()}"
    home = (old if old.is_dir() else new) / "cgroup.procs"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here: {error.strerror}")
    try:
        if old.is_dir():
            knob, words = group / "freezer.state", ("THAWED", "FROZEN")
        else:
            knob, words = group / "cgroup.freeze", ("0", "1")
        if not knob.exists():
            pytest.skip("this kernel's cgroups cannot freeze")
        (group / "cgroup.procs").write_text(str(pid))
        try:

            def freeze(frozen: bool) -> None:
                knob.write_text(words[frozen])

            yield freeze
        finally:
            knob.write_text(words[False])
            home.write_text(str(pid))
    finally:
        remove_group(group)


async def test_a_frozen_cgroup_is_a_gap_and_not_a_stall(tmp_path: Path) -> None:
    async with running(SMALL, tmp_path) as (engine, seen):
        with freezable(engine.pid) as freeze:
            await watch(engine, seen, lambda _: len(seen.ticks) == 3)
            freeze(True)
            await asyncio.sleep(1.5)
            freeze(False)
            await watch(engine, seen, lambda tick: tick.gap_slots > 0)
        assert sum(tick.gap_ns for tick in seen.ticks) > 1_400_000_000
        assert max(write.response_ns for tick in seen.ticks for write in tick.worst if write) < 1_400_000_000


async def test_a_device_that_goes_away_is_said_and_the_engine_stays_up(tmp_path: Path) -> None:
    """The image shrinks to nothing under the mounted loop device: from then on the block layer answers EIO."""
    settings = replace(SMALL, interval_ns=50_000, write_bytes=4000)
    with small_ext4(tmp_path, 64 * MIB) as disk:
        found = subprocess.run(["findmnt", "-no", "SOURCE", str(disk)], capture_output=True, text=True, check=True)
        async with running(settings, disk) as (engine, seen):
            await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
            os.truncate(tmp_path / "image", 0)
            subprocess.run(["losetup", "-c", found.stdout.strip()], check=True)
            tick = await watch(engine, seen, lambda tick: tick.trouble == 2)
            assert tick.error in (errno.EIO, errno.EROFS)
            later = await watch(engine, seen, lambda _: True)
            assert later.end_ns > tick.end_ns


def locked_bytes(pid: int) -> int:
    """VmLck of a process."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmLck:"))
    return int(line.split()[1]) * 1024


async def test_prepared_pages_are_locked_until_the_writer_has_left_them(tmp_path: Path) -> None:
    """Under pressure they would be reclaimed and read back from the disk inside write()."""
    async with running(SMALL, tmp_path) as (engine, seen):
        await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
        before = locked_bytes(engine.pid)
        await engine.change(replace(SMALL, prewarm=Prewarm.WRITE))
        await watch(engine, seen, lambda tick: tick.segment >= 3 and tick.writes[WriteClass.PREPARED] > 0)
        tick = await watch(engine, seen, lambda _: locked_bytes(engine.pid) >= before + SMALL.prewarm_bytes)
        assert "prewarm" not in tick.refused
        # the one being written and the next; a third for the moment in which the janitor has not looked yet
        assert locked_bytes(engine.pid) <= before + 3 * SMALL.prewarm_bytes
        await engine.change(SMALL)
        await watch(engine, seen, lambda tick: tick.precursor.method is Prewarm.OFF and locked_bytes(engine.pid) == before)


async def test_a_limit_on_locked_memory_is_said_and_prewarming_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = ("prlimit", f"--memlock={8 * MIB}", "setpriv", "--bounding-set=-ipc_lock", "--")
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (util-linux) to give up CAP_IPC_LOCK")
    command = engine_client.engine_command()
    monkeypatch.setattr(engine_client, "engine_command", lambda: (*limited, *command))
    settings = replace(SMALL, segment_bytes=16 * MIB, prewarm_bytes=16 * MIB, disk_limit_bytes=64 * MIB, prewarm=Prewarm.WRITE)
    async with running(settings, tmp_path) as (engine, seen):
        tick = await watch(engine, seen, lambda tick: tick.writes[WriteClass.PREPARED] > 0 and "prewarm" in tick.refused)
        assert tick.refused["prewarm"] in (errno.ENOMEM, errno.EAGAIN)
        assert locked_bytes(engine.pid) <= 8 * MIB
