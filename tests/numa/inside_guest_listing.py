"""Run by test_listing.py inside a guest whose kernel can list functions; not collected elsewhere."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import psutil

from tests.e2e.terminal import WAIT_S
from tests.numa import client
from tests.numa.inside_guest import DATA, LARGE, WLAT, engine, reported
from wlat_tui.listing import INSTANCE, NAME
from wlat_tui.sources import Outcome, SetKnob
from wlat_tui.sources.live import LiveSource


async def test_the_functions_of_a_slow_write_are_listed_and_a_kill_leaves_no_trace_instance() -> None:
    source = LiveSource(LARGE, DATA, read_only=False, sudo=False)
    frames = source.frames()
    instance = Path("/sys/kernel/tracing/instances") / INSTANCE
    asked: Outcome | None = None
    try:
        async with asyncio.timeout(2 * WAIT_S):
            async for frame in frames:
                if asked is None and frame.knobs is not None and NAME in frame.knobs and frame.writer is not None:
                    asked = await source.apply(SetKnob(NAME, str(frame.writer.tid)))
                    if not asked.ok and "keeper is still starting" in asked.message:
                        asked = None
                    else:
                        assert asked.ok, asked.message
                if any("vfs_write" in trace.listing for trace in frame.traces):
                    break
        assert (await source.apply(SetKnob(NAME, None))).ok
        assert not instance.exists()
        wanted = json.dumps({NAME: str(source._writer_tid)})
        with subprocess.Popen([sys.executable, client.__file__, wanted], stdout=subprocess.PIPE, text=True, cwd="/") as other:
            assert other.stdout is not None
            assert other.stdout.readline() == ""  # one wlat at a time
    finally:
        await source.close()
        await frames.aclose()  # type: ignore[attr-defined]
    async with engine(LARGE) as running:
        tick = await reported(running, lambda tick: tick.tid > 0)
        wanted = json.dumps({NAME: str(tick.tid)})
        with subprocess.Popen([sys.executable, client.__file__, wanted], stdout=subprocess.PIPE, text=True, cwd="/") as asking:
            assert asking.stdout is not None
            keeper = psutil.Process(int(asking.stdout.readline()))
            assert instance.exists()
            keeper.suspend()  # or it would put everything back at the other's death
            asking.kill()
            keeper.kill()
        assert instance.exists()
        done = subprocess.run([WLAT, "restore"], capture_output=True, text=True, check=False)
        assert (done.returncode, instance.exists()) == (0, False), done.stderr
