"""Run by test_listing.py inside a guest whose kernel can list functions; not collected elsewhere."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil

from tests.e2e.host import strays
from tests.e2e.terminal import WAIT_S, eventually
from tests.numa import client
from tests.numa.inside_guest import DATA, LARGE, PREFIX, WLAT, engine, reported
from wlat_tui.evidence import StallTrace
from wlat_tui.listing import INSTANCE, NAME
from wlat_tui.sources import SetKnob
from wlat_tui.sources.live import LiveSource

INSTANCES = Path("/sys/kernel/tracing/instances")
OURS = INSTANCES / INSTANCE
# few writes and few stalls: with every call listed each takes an emulated CPU milliseconds
TRACED = replace(LARGE, trace=True, interval_ns=100_000_000, threshold_ns=1_000_000, tick_ns=1_000_000_000)


def nested(listing: str) -> bool:
    """Whether calls stand within calls, with the time of each; with the function tracer, whether callers are named."""
    whole = re.search(r"vfs_write\(\) \{\n(?:.*\n)*?.*[0-9.]+ us +\|   +\w+\(\)", listing)
    return whole is not None or ("vfs_write <-" in listing and "<-" in listing.partition("vfs_write <-")[2])


async def listed(source: LiveSource) -> StallTrace:
    """Switch the listing on, and wait for a stall that has one."""
    asked = False
    frames = source.frames()
    async with asyncio.timeout(3 * WAIT_S):
        async for frame in frames:
            tick = frame.writer
            if not asked and tick is not None and sum(tick.writes) and frame.knobs is not None and NAME in frame.knobs:
                outcome = await source.apply(SetKnob(NAME, str(tick.tid)))
                assert outcome.ok or "keeper is still starting" in outcome.message, outcome.message
                asked = outcome.ok
                print("asked", outcome, "tracer", (OURS / "current_tracer").read_text() if asked else "")
            for trace in frame.traces:
                if nested(trace.listing):
                    await frames.aclose()  # type: ignore[attr-defined]
                    return trace
    raise AssertionError("the source ended")


async def test_the_functions_of_a_slow_write_are_listed_and_nothing_stays_when_it_is_over() -> None:
    source = LiveSource(TRACED, DATA, read_only=False, sudo=False)
    try:
        trace = await listed(source)
        print(f"{(trace.to_ns - trace.from_ns) / 1e6:.1f} ms\n{trace.listing}")
        wanted = json.dumps({NAME: str(source._writer_tid)})
        with subprocess.Popen([sys.executable, client.__file__, wanted], stdout=subprocess.PIPE, text=True, cwd="/") as other:
            assert other.stdout is not None
            assert other.stdout.readline() == ""  # one wlat at a time
        assert OURS.exists()
    finally:
        await source.close()
    assert source.farewell is None
    assert list(INSTANCES.iterdir()) == []
    eventually(lambda: not strays(PREFIX), "engine and keeper are gone")


async def test_what_a_kill_of_everything_left_is_removed_by_hand_and_by_the_next_start() -> None:
    async with engine(LARGE) as running:
        tid = (await reported(running, lambda tick: tick.tid > 0)).tid
        with killed({NAME: str(tid)}):
            done = subprocess.run([WLAT, "restore"], capture_output=True, text=True, check=False)
            assert (done.returncode, OURS.exists()) == (0, False), done.stderr
        with (
            killed({NAME: str(tid)}),
            subprocess.Popen([sys.executable, client.__file__, "{}"], stdout=subprocess.PIPE, text=True, cwd="/") as next_one,
        ):
            assert next_one.stdout is not None
            assert int(next_one.stdout.readline()) > 0
            assert not OURS.exists()
            next_one.kill()
    eventually(lambda: not strays(PREFIX), "engine and keeper are gone")


@contextmanager
def killed(wanted: Mapping[str, str]) -> Iterator[None]:
    """Settings made, and everybody dead who could put them back."""
    with subprocess.Popen(
        [sys.executable, client.__file__, json.dumps(wanted)], stdout=subprocess.PIPE, text=True, cwd="/"
    ) as asking:
        assert asking.stdout is not None
        keeper = psutil.Process(int(asking.stdout.readline()))
        assert OURS.exists()
        keeper.suspend()  # or it would put everything back at the other's death
        asking.kill()
        keeper.kill()
    eventually(lambda: dead(keeper), "the keeper is dead")
    assert OURS.exists()
    yield


def dead(process: psutil.Process) -> bool:
    """A zombie is; and it may be reaped between two looks."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
