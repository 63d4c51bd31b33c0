"""The engine process end to end: real writes, on the filesystem the tests run on."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from wlat_tui import engine_client
from wlat_tui.engine_client import Engine, EngineError
from wlat_tui.frame import Frame, Mode, Policy, Prewarm, Settings, Span, WriteClass, WriterTick
from wlat_tui.histogram import Histogram
from wlat_tui.model.session import Session
from wlat_tui.native import bare_run

MIB = 1 << 20
SMALL = Settings(
    tick_ns=50_000_000,
    segment_bytes=MIB,
    prewarm_bytes=MIB,
    disk_limit_bytes=4 * MIB,
    threshold_ns=3600 * 10**9,
    interval_ns=100_000,
)
PATIENCE_S = 60


@dataclass
class Seen:
    """Everything an engine has reported so far."""

    ticks: list[WriterTick] = field(default_factory=list)
    counts: dict[Span, Histogram] = field(default_factory=lambda: {span: Histogram() for span in Span})

    def add(self, tick: WriterTick) -> None:
        self.ticks.append(tick)
        for delta in tick.histograms:
            self.counts[delta.span].add(delta)

    @property
    def writes(self) -> int:
        return sum(sum(tick.writes) for tick in self.ticks)


async def watch(engine: Engine, seen: Seen, enough: Callable[[WriterTick], bool]) -> WriterTick:
    """Read ticks until one satisfies; fails the test when none comes in a long time."""
    async with asyncio.timeout(PATIENCE_S):
        async for tick in engine.ticks():
            seen.add(tick)
            if enough(tick):
                return tick
    raise AssertionError("the engine ended")


@asynccontextmanager
async def running(settings: Settings, directory: Path) -> AsyncIterator[tuple[Engine, Seen]]:
    engine = await Engine.start(settings, directory)
    try:
        yield engine, Seen()
    finally:
        assert await engine.stop() is None


def open_files(pid: int) -> list[str]:
    names = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            names.append(os.readlink(entry))
        except FileNotFoundError:  # closed meanwhile
            continue
    return names


def test_the_engines_process_imports_the_native_core_and_little_else() -> None:
    program = "import sys, wlat_tui.engine; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "wlat_tui._native" in loaded
    assert not loaded & {"dataclasses", "inspect", "json", "asyncio", "wlat_tui.frame", "wlat_tui.native"}


async def test_every_write_is_counted_once_in_every_histogram_and_on_schedule(tmp_path: Path) -> None:
    async with running(SMALL, tmp_path) as (engine, seen):
        await watch(engine, seen, lambda tick: tick.segment >= 2)
        await asyncio.sleep(0.3)
        await engine.stop()
        async for tick in engine.ticks():  # what was still under way, and the last words
            seen.add(tick)
    assert all(seen.counts[span].total == seen.writes for span in Span)
    assert sum(tick.written_bytes for tick in seen.ticks) == seen.writes * SMALL.write_bytes
    slots = seen.writes + sum(t.skipped_slots + t.error_slots + t.gap_slots for t in seen.ticks)
    first = min(w.planned_ns for t in seen.ticks for w in t.worst if w)
    assert all((w.planned_ns - first) % SMALL.interval_ns == 0 for t in seen.ticks for w in t.worst if w)
    elapsed = seen.ticks[-1].end_ns - seen.ticks[0].begin_ns
    assert slots * SMALL.interval_ns <= elapsed + SMALL.interval_ns
    assert [tick.seq for tick in seen.ticks] == list(range(len(seen.ticks)))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [Mode.SLEEP, Mode.SPIN])
async def test_every_write_of_a_slow_writer_is_shown_in_its_tick(tmp_path: Path, mode: Mode) -> None:
    """Slower than the reports, as fast, and somewhat faster; each beginning at several phases of them."""
    phases_s = (0.0, 0.013, 0.031)
    intervals_ns = (30_000_000, 50_000_000, 100_000_000, 1_000_000_000) if mode is Mode.SLEEP else (100_000_000,)

    async def all_due_are_shown(interval_ns: int, phase_s: float) -> None:
        await asyncio.sleep(phase_s)
        async with running(replace(SMALL, interval_ns=interval_ns, mode=mode), tmp_path) as (engine, seen):
            await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
            first = next(w.planned_ns for tick in seen.ticks for w in tick.worst if w)
            await watch(
                engine, seen, lambda tick: seen.writes >= 3 and seen.writes > (tick.end_ns - first - 1_000_000) // interval_ns
            )
            assert all(tick.begin_ns <= tick.end_ns for tick in seen.ticks)
            assert sum(tick.gap_slots for tick in seen.ticks) == 0

    await asyncio.gather(*(all_due_are_shown(interval, phase) for interval in intervals_ns for phase in phases_s))


async def test_lowering_the_threshold_live_makes_every_write_a_stall(tmp_path: Path) -> None:
    async with running(SMALL, tmp_path) as (engine, seen):
        await watch(engine, seen, lambda _: len(seen.ticks) == 3)
        assert sum(tick.stall_count for tick in seen.ticks) == 0
        seq = await engine.change(replace(SMALL, threshold_ns=1_000))
        await watch(engine, seen, lambda tick: tick.settings_seq >= seq and sum(tick.writes) > 0)
        tick = await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
        assert tick.stall_count > 0
        assert len(tick.stalls) + tick.stalls_lost == tick.stall_count
        assert all(write.response_ns > 1_000 for write in tick.stalls)
        worst = tick.worst[Span.RESPONSE]
        assert worst is not None
        # one that only queued is no stall, however long it took from its plan
        assert worst in tick.stalls or worst.backlog or tick.stalls_lost


@pytest.mark.parametrize("method", [Prewarm.READ, Prewarm.WRITE])
async def test_toggling_prewarm_live_moves_the_writer_to_prepared_pages_and_back(tmp_path: Path, method: Prewarm) -> None:
    settings = replace(SMALL, segment_bytes=8 * MIB, disk_limit_bytes=64 * MIB)
    async with running(settings, tmp_path) as (engine, seen):
        await watch(engine, seen, lambda tick: tick.writes[WriteClass.NEW_PAGE] > 0)
        assert seen.ticks[-1].segment == 0
        await engine.change(replace(settings, prewarm=method))
        tick = await watch(engine, seen, lambda tick: tick.writes[WriteClass.PREPARED] > 0)
        assert tick.segment == 1, "it did not wait for the end of the old segment"
        assert tick.precursor.method == method
        assert not tick.refused
        tick = await watch(engine, seen, lambda tick: tick.precursor.resident_of_pages is not None)
        assert tick.precursor.resident_pages == tick.precursor.resident_of_pages
        await engine.change(settings)
        await watch(engine, seen, lambda tick: tick.precursor.method == Prewarm.OFF)
        tick = await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
        assert tick.writes[WriteClass.PREPARED] == 0


async def test_a_writer_that_is_pinned_anew_gets_pages_prepared_anew(tmp_path: Path) -> None:
    """Those of this segment and the next were prepared for the node it was on before."""
    settings = replace(SMALL, interval_ns=1_000_000, prewarm=Prewarm.WRITE, prewarm_bytes=4 * MIB, disk_limit_bytes=64 * MIB)
    cpu = min(os.sched_getaffinity(0))
    async with running(settings, tmp_path) as (engine, seen):
        tick = await watch(
            engine, seen, lambda tick: tick.precursor.method is Prewarm.WRITE and tick.precursor.ahead_pages > 1500
        )
        before = tick.segment
        for n, wanted in enumerate((replace(settings, cpus=(cpu,)), replace(settings, policy=Policy.LOCAL)), start=1):
            seq = await engine.change(wanted)
            tick = await watch(
                engine, seen, lambda tick, seq=seq, to=before + n: tick.settings_seq >= seq and tick.segment == to
            )
            assert tick.segment_offset < settings.prewarm_bytes, "it did not wait for the end of the old segment"
        await watch(engine, seen, lambda tick: tick.precursor.ahead_pages > 1500)
        seen.ticks.clear()
        await watch(engine, seen, lambda _: len(seen.ticks) == 10)
        assert {tick.segment for tick in seen.ticks} == {before + 2}, "once is enough"


async def test_a_stopped_engine_leaves_a_gap_and_no_stall(tmp_path: Path) -> None:
    async with running(SMALL, tmp_path) as (engine, seen):
        await watch(engine, seen, lambda _: len(seen.ticks) == 3)
        os.kill(engine.pid, signal.SIGSTOP)
        await asyncio.sleep(2)
        os.kill(engine.pid, signal.SIGCONT)
        await watch(engine, seen, lambda tick: tick.gap_slots > 0)
        await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
        gap = sum(tick.gap_ns for tick in seen.ticks)
        worst = max(w.response_ns for tick in seen.ticks for w in tick.worst if w)
        assert gap > 1_900_000_000
        assert worst < 1_900_000_000
        assert seen.counts[Span.RESPONSE].total == seen.writes


SUSPENDED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real)
		real = dlsym(RTLD_NEXT, "clock_gettime");
	int result = real(id, t);
	if (id == CLOCK_BOOTTIME && access(FLAG, F_OK) == 0)
		t->tv_sec += 5;
	return result;
}
"""
"""What a suspend of 5 s looks like to a process: the boot clock has gone on, the monotonic one has not (clock_gettime(2))."""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to make a clock that has been suspended")
async def test_a_suspended_machine_is_a_gap_and_not_a_stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flag, clock = tmp_path / "suspended", tmp_path / "clock.so"
    build = ["cc", "-shared", "-fPIC", f'-DFLAG="{flag}"', "-x", "c", "-", "-o", str(clock), "-ldl"]
    subprocess.run(build, input=SUSPENDED.encode(), check=True)
    command = engine_client.engine_command()
    monkeypatch.setattr(engine_client, "engine_command", lambda: ("env", f"LD_PRELOAD={clock}", *command))
    target = tmp_path / "target"
    target.mkdir()
    async with running(SMALL, target) as (engine, seen):
        await watch(engine, seen, lambda _: len(seen.ticks) == 3)
        flag.touch()
        tick = await watch(engine, seen, lambda tick: tick.gap_ns > 0)
        # two clocks, each rounded to its own nanosecond
        assert 4_999_999_000 <= tick.gap_ns < 6_000_000_000
        await watch(engine, seen, lambda _: len(seen.ticks) >= 10)
        assert sum(tick.gap_ns for tick in seen.ticks) == tick.gap_ns, "told once"
        assert max(write.response_ns for tick in seen.ticks for write in tick.worst if write) < 5_000_000_000
        session = Session()
        session.fold(Frame(tick.begin_ns, tick.end_ns, tick.wall_ns, tick))
        assert "the machine was suspended" in session.gaps[-1].reason


async def test_a_sigcont_without_a_stop_changes_nothing(tmp_path: Path) -> None:
    async with running(SMALL, tmp_path) as (engine, seen):
        await watch(engine, seen, lambda _: len(seen.ticks) == 2)
        for _ in range(50):
            os.kill(engine.pid, signal.SIGCONT)
            await asyncio.sleep(0.005)
        await watch(engine, seen, lambda _: len(seen.ticks) >= 12)
        assert sum(tick.gap_slots for tick in seen.ticks) == 0


async def test_nothing_is_left_after_kill_nine(tmp_path: Path) -> None:
    engine = await Engine.start(SMALL, tmp_path)
    seen = Seen()
    await watch(engine, seen, lambda tick: tick.segment >= 1)
    files = [name for name in open_files(engine.pid) if name.startswith(str(tmp_path)) and name != str(tmp_path)]
    assert files
    assert all(name.endswith("(deleted)") for name in files)
    os.kill(engine.pid, signal.SIGKILL)
    with pytest.raises(EngineError, match="was killed by signal 9"):
        await watch(engine, seen, lambda _: False)
    assert await engine.stop() is None
    assert not any(tmp_path.iterdir())


def names_of_threads(pid: int) -> set[str]:
    return {(task / "comm").read_text().strip() for task in Path(f"/proc/{pid}/task").iterdir()}


async def test_stopping_leaves_no_process_and_a_terminal_signal_does_not_reach_it(tmp_path: Path) -> None:
    engine = await Engine.start(SMALL, tmp_path)
    await watch(engine, Seen(), lambda tick: sum(tick.writes) > 0)
    assert os.getsid(engine.pid) == engine.pid != os.getsid(0)
    os.kill(engine.pid, signal.SIGHUP)
    await watch(engine, Seen(), lambda tick: sum(tick.writes) > 0)
    async with asyncio.timeout(60):  # each thread names itself, when it has begun
        while not {"wlat-engine", "wlat-writer", "wlat-reporter", "wlat-janitor", "wlat-precursor"} <= names_of_threads(
            engine.pid
        ):
            await asyncio.sleep(0.01)
    assert await engine.stop() is None
    assert await engine.stop() is None
    assert not Path(f"/proc/{engine.pid}").exists()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order(tmp_path: Path, end: signal.Signals) -> None:
    engine = await Engine.start(SMALL, tmp_path)
    seen = Seen()
    await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
    os.kill(engine.pid, end)
    with pytest.raises(EngineError, match="ended with status 0"):
        await watch(engine, seen, lambda _: False)
    assert seen.counts[Span.WAKE].total == seen.writes
    await engine.stop()


async def test_disk_use_stays_below_its_limit(tmp_path: Path) -> None:
    settings = replace(SMALL, interval_ns=20_000, write_bytes=1000)
    async with running(settings, tmp_path) as (engine, seen):
        while not seen.ticks or seen.ticks[-1].segment < 12:
            await watch(engine, seen, lambda _: True)
            held = on_disk = 0
            for entry in Path(f"/proc/{engine.pid}/fd").iterdir():
                try:
                    if str(tmp_path / "#") in os.readlink(entry):
                        held, on_disk = held + 1, on_disk + entry.stat().st_blocks * 512
                except FileNotFoundError:  # closed meanwhile
                    continue
            # a few blocks of the filesystem's own, per file
            assert on_disk <= settings.disk_limit_bytes + 64 * 1024 * held
        assert max(tick.disk_bytes for tick in seen.ticks) <= settings.disk_limit_bytes
        assert max(tick.segments_held for tick in seen.ticks) == 4


async def test_a_reader_that_is_away_loses_no_counts(tmp_path: Path) -> None:
    settings = replace(SMALL, threshold_ns=1_000)
    engine = await Engine.start(settings, tmp_path)
    seen = Seen()
    await watch(engine, seen, lambda _: True)
    stdout = engine._process.stdout
    assert stdout is not None
    # the transport stops reading, as when the event loop hangs: the pipe fills up
    stdout._transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(4)
    stdout._transport.resume_reading()  # type: ignore[attr-defined]
    last = await watch(engine, seen, lambda tick: tick.seq > len(seen.ticks) + 3)
    assert last.seq > len(seen.ticks) - 1, "no hole shows that reports were dropped"
    await watch(engine, seen, lambda tick: tick.seq > last.seq + 3)
    await engine.stop()
    async for tick in engine.ticks():
        seen.add(tick)
    assert all(seen.counts[span].total == seen.writes for span in Span)
    assert sum(tick.written_bytes for tick in seen.ticks) == seen.writes * settings.write_bytes
    assert sum(len(tick.stalls) + tick.stalls_lost for tick in seen.ticks) == sum(tick.stall_count for tick in seen.ticks)


async def test_a_removed_directory_is_said_and_the_writer_goes_on_when_it_can(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    async with running(SMALL, target) as (engine, seen):
        await watch(engine, seen, lambda tick: sum(tick.writes) > 0)
        target.rmdir()
        tick = await watch(engine, seen, lambda tick: tick.trouble == 1)
        assert tick.trouble_since_ns > 0
        tick = await watch(engine, seen, lambda tick: tick.error_slots > 0 and tick.error != 0)
        assert os.strerror(tick.error) == "No such file or directory"


async def test_bad_settings_and_places_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^interval_ns must be"):
        await Engine.start(replace(SMALL, interval_ns=1), tmp_path)
    with pytest.raises(EngineError, match="No such file or directory"):
        await Engine.start(SMALL, tmp_path / "nowhere")
    engine = await Engine.start(SMALL, "/proc")
    with pytest.raises(EngineError, match=r"^the engine ended: running the writer: "):
        await watch(engine, Seen(), lambda _: False)
    assert await engine.stop() is None


def test_the_bare_loop_counts_every_slot(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        service, wake = bare_run(directory, SMALL, 300_000_000)
        with pytest.raises(OSError, match="File too large"):
            bare_run(directory, SMALL, 3600 * 10**9)
        with pytest.raises(ValueError, match="write_bytes"):
            bare_run(directory, replace(SMALL, write_bytes=0), 1)
    finally:
        os.close(directory)
    assert service.total == wake.total == 300_000_000 // SMALL.interval_ns
    assert not any(tmp_path.iterdir())
