"""The live source joins a real engine with this host's kernel files, and survives the engine's death."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from wlat_tui.frame import Frame, Settings
from wlat_tui.kernel.host import read_host
from wlat_tui.kernel.mounts import disk_refusal, read_target
from wlat_tui.sources import ChangeSettings, DropCaches, ReadZones, SetKnob, readings
from wlat_tui.sources.live import LATE_NS, LiveSource

SETTINGS = Settings(tick_ns=50_000_000, segment_bytes=1 << 20, prewarm_bytes=1 << 20, disk_limit_bytes=4 << 20)
PATIENCE_S = 30


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A directory on a real filesystem."""
    target = read_target(tmp_path)
    if target is not None and (refusal := disk_refusal(target)) is not None:
        pytest.skip(f"needs a temporary directory on a disk: {refusal}")
    return tmp_path


@asynccontextmanager
async def running(directory: Path, settings: Settings = SETTINGS) -> AsyncIterator[tuple[LiveSource, AsyncIterator[Frame]]]:
    source = LiveSource(settings, directory, read_only=True, sudo=False)
    frames = source.frames()
    try:
        yield source, frames
    finally:
        await source.close()
        await frames.aclose()  # type: ignore[attr-defined]


async def first(frames: AsyncIterator[Frame], wanted: Callable[[Frame], bool]) -> Frame:
    """The next frame that fits."""
    async with asyncio.timeout(PATIENCE_S):
        async for frame in frames:
            if wanted(frame):
                return frame
    raise AssertionError("the source ended")


async def test_frames_carry_the_writer_the_nodes_and_the_settings(disk: Path) -> None:
    async with running(disk) as (_source, frames):
        opening = await first(frames, lambda frame: frame.host is not None)
        assert opening.settings == SETTINGS
        assert opening.host is not None
        assert opening.host.target is not None
        writing = await first(frames, lambda frame: frame.writer is not None and sum(frame.writer.writes) > 0)
        assert writing.writer_missing is None
        assert writing.settings is None
        assert os.listdir(disk) == []


async def test_the_first_frame_waits_for_no_other_process(disk: Path) -> None:
    async with running(disk) as (source, frames):
        opening = await anext(frames)
        assert source._engine is None
        assert opening.writer is None
        assert opening.writer_missing == "the engine is starting"
        assert opening.host is not None
        assert opening.nodes
        assert opening.zones


async def test_values_of_settings_are_shown_even_when_nothing_may_be_changed(disk: Path) -> None:
    async with running(disk) as (source, frames):
        frame = await first(frames, lambda frame: frame.knobs is not None)
        assert frame.knobs is not None
        assert frame.knobs["swappiness"].current == Path("/proc/sys/vm/swappiness").read_text().strip()
        assert frame.knobs["swappiness"].unavailable == "started with --read-only"
        for refused in (SetKnob("swappiness", "1"), DropCaches()):
            outcome = await source.apply(refused)
            assert not outcome.ok
            assert outcome.message == "started with --read-only"


async def test_a_dead_engine_is_said_and_started_again(disk: Path) -> None:
    async with running(disk) as (source, frames):
        await first(frames, lambda frame: frame.writer is not None)
        assert source._engine is not None
        os.kill(source._engine.pid, signal.SIGKILL)
        missing = await first(frames, lambda frame: frame.writer is None and "engine" in (frame.writer_missing or ""))
        assert missing.nodes is not None
        again = await first(frames, lambda frame: frame.writer is not None and sum(frame.writer.writes) > 0)
        assert again.writer_missing is None


async def test_a_directory_that_is_removed_and_made_anew_is_written_to_again(disk: Path) -> None:
    target = disk / "target"
    target.mkdir()
    async with running(target) as (_source, frames):
        await first(frames, lambda frame: frame.writer is not None and sum(frame.writer.writes) > 0)
        target.rmdir()
        gone = await first(frames, lambda frame: frame.writer is not None and frame.writer.trouble == 1)
        assert gone.writer is not None
        assert gone.writer.error == errno.ENOENT
        target.mkdir()
        await first(
            frames, lambda frame: frame.writer is not None and frame.writer.trouble == 0 and sum(frame.writer.writes) > 0
        )


async def test_changed_settings_leave_a_mark_and_bad_ones_a_sentence(disk: Path) -> None:
    async with running(disk) as (source, frames):
        await first(frames, lambda frame: frame.writer is not None)
        slower = replace(SETTINGS, interval_ns=1_000_000)
        assert (await source.apply(ChangeSettings(slower, "interval", "every 1ms"))).ok
        frame = await first(frames, lambda frame: bool(frame.marks))
        mark = frame.marks[0]
        assert (mark.name, mark.kind, mark.before, mark.after) == ("interval", "applied", "200000", "1000000")
        assert frame.settings == slower
        refused = await source.apply(ChangeSettings(replace(slower, interval_ns=1), "interval", "every 1ns"))
        assert not refused.ok
        assert "interval" in refused.message


async def test_a_writer_whose_cpu_went_and_came_is_pinned_again(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpus = os.sched_getaffinity(0)
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")
    online = [tuple(sorted(cpus))]
    monkeypatch.setattr(readings, "read_host", lambda *args: replace(read_host(*args), cpus_online=online[-1]))

    async def told(now_online: tuple[int, ...]) -> str:
        online.append(now_online)
        source._readings.set_privilege("user")  # the host is read again
        frame = await first(frames, lambda frame: any("asked for again" in notice for notice in frame.notices))
        return "".join(frame.notices)

    async with running(disk, replace(SETTINGS, cpus=(max(cpus),))) as (source, frames):
        tick = (await first(frames, lambda frame: frame.writer is not None and frame.writer.cpu == max(cpus))).writer
        assert tick is not None
        assert f"CPUs {min(cpus)} are online now: pinning the writer to {max(cpus)}" in await told((min(cpus),))
        os.sched_setaffinity(tick.tid, cpus)  # as the kernel does when the CPU goes offline
        assert f"pinning the writer to {max(cpus)}" in await told(online[0])
        async with asyncio.timeout(PATIENCE_S):
            while os.sched_getaffinity(tick.tid) != {max(cpus)}:
                await anext(frames)


async def test_zones_are_read_again_when_the_user_asks(disk: Path) -> None:
    async with running(disk) as (source, frames):
        await first(frames, lambda frame: frame.zones is not None)
        await first(frames, lambda frame: frame.zones is None)
        assert (await source.apply(ReadZones())).ok
        assert (await first(frames, lambda frame: frame.zones is not None)).zones


async def test_settings_that_no_engine_takes_are_an_error_not_silence(disk: Path) -> None:
    source = LiveSource(replace(SETTINGS, interval_ns=1), disk, read_only=True, sudo=False)
    with pytest.raises(ValueError, match="interval"):
        await first(source.frames(), lambda frame: frame.writer is not None)
    await source.close()


async def test_closing_twice_is_fine_and_leaves_no_engine(disk: Path) -> None:
    async with running(disk) as (source, frames):
        await first(frames, lambda frame: frame.writer is not None)
        assert source._engine is not None
        pid = source._engine.pid
        await source.close()
        await source.close()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert source.farewell is None


async def test_of_reports_that_queued_up_only_the_newest_carries_what_the_kernel_says_now(disk: Path) -> None:
    async with running(disk) as (source, frames):
        await first(frames, lambda frame: frame.writer is not None)
        while source._tick.qsize() < 3:
            await asyncio.sleep(SETTINGS.tick_ns / 1e9)
        waiting = source._tick.qsize()
        queued = [await anext(frames) for _ in range(waiting)]
        assert all(frame.writer is not None for frame in queued)
        assert [frame.nodes is None for frame in queued[:2]] == [True, True]
        assert (await first(frames, lambda frame: frame.nodes is not None)).nodes


async def test_screen_threads_leave_the_writers_cpu_to_it_until_the_end(disk: Path) -> None:
    cpus = os.sched_getaffinity(0)
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")
    async with running(disk, replace(SETTINGS, cpus=(max(cpus),))) as (source, frames):
        await first(frames, lambda frame: frame.cost is not None and frame.cost.kept_off_cpus == (max(cpus),))
        # not while a process is being started
        await first(frames, lambda _frame: os.sched_getaffinity(0) == cpus - {max(cpus)})
        before = (await first(frames, lambda frame: frame.writer is not None)).writer
        assert source._engine is not None
        assert before is not None
        # an engine that is started again may use every CPU
        os.kill(source._engine.pid, signal.SIGKILL)

        def there_again(frame: Frame) -> bool:
            tick = frame.writer
            return tick is not None and tick.tid != before.tid and tick.cpu == max(cpus) and not tick.refused.get("cpus")

        await first(frames, there_again)
    assert os.sched_getaffinity(0) == cpus


async def test_a_screen_that_keeps_up_leaves_the_writers_cpu_and_one_that_is_late_takes_every_cpu_again(disk: Path) -> None:
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("needs two CPUs")
    pinned = min(allowed)
    async with running(disk, replace(SETTINGS, cpus=(pinned,))) as (_source, frames):
        await first(frames, lambda frame: frame.writer is not None and os.sched_getaffinity(0) == allowed - {pinned})
        # whoever does not come to read for longer than this has one CPU too few
        time.sleep(LATE_NS / 1e9 + 0.5)
        await first(frames, lambda _frame: os.sched_getaffinity(0) == allowed)
        await first(frames, lambda _frame: os.sched_getaffinity(0) == allowed - {pinned})
    assert os.sched_getaffinity(0) == allowed
