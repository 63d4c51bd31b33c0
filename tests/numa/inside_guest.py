"""Run by test_two_nodes.py inside a guest with two nodes; not collected elsewhere: nothing here is true on other hosts.

Emulated CPUs are slow, so only one test draws the screen; the others ask engine and keeper as the screen does.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.conftest import read_knobs
from tests.e2e.host import strays
from tests.e2e.screen import READY, reclaim_locally
from tests.e2e.terminal import WAIT_S, Terminal, eventually, read_text
from tests.numa import client
from tests.numa.guest import DISTANCE
from wlat_tui.engine_client import Engine
from wlat_tui.frame import Policy, Prewarm, Settings, WriteClass, WriterTick
from wlat_tui.kernel.node_vmstat import NodeVmstat

PREFIX = Path(sys.prefix)
WLAT = str(PREFIX / "bin" / "wlat")
VM = Path("/proc/sys/vm")
DATA = Path("/data")
# 200 writes/s, as 5,000 would take most of an emulated CPU; eight new pages each, in a file that no test fills
# untraced: a tracepoint that comes or goes patches kernel code, on which several emulated CPUs were seen to spin for ever
LARGE = Settings(interval_ns=5_000_000, write_bytes=32 << 10, segment_bytes=256 << 20, trace=False)

ON_CPU = re.compile(r"^ (?:writer on )?CPU (\d)", re.M)
"""The status line: on a busy machine what was lost needs the room of some words."""


@pytest.fixture
def before() -> Iterator[Mapping[Path, str]]:
    """The settings before a test, which must be in force again when nothing of wlat runs any more."""
    found = read_knobs()
    yield found
    eventually(lambda: not strays(PREFIX), "engine and keeper are gone")
    assert read_knobs() == found


def test_topology_is_what_the_machine_was_built_with() -> None:
    said = json.loads(subprocess.run([WLAT, "topology", "--json"], capture_output=True, check=True).stdout)
    nodes = {node["node"]: node for node in said["nodes"]}
    assert {number: node["cpus"] for number, node in nodes.items()} == {0: [0], 1: [1]}
    assert nodes[0]["distances"] == {"0": 10, "1": DISTANCE}
    assert nodes[1]["distances"] == {"0": DISTANCE, "1": 10}
    assert nodes[0]["total_bytes"] > nodes[1]["total_bytes"] > 0
    managed = {number: sum(zone["managed"] for zone in node["zones"]) for number, node in nodes.items()}
    assert all(managed[number] * said["page_bytes"] <= nodes[number]["total_bytes"] for number in nodes)


def test_the_screen_shows_both_nodes_and_its_toggles_act_and_are_put_back_on_quitting(before: Mapping[Path, str]) -> None:
    with Terminal([WLAT, "--dir", str(DATA), "--interval", "5ms", "--no-trace"], cwd="/") as live:
        live.wait_for(lambda text: READY in text and ON_CPU.search(text) and "2 nodes" in text)
        for node in (0, 1):
            live.wait_for(re.compile(rf"^▸ {node}.* free .*kswapd", re.M))
        live.press("3", "g", "enter")
        live.wait_for(lambda text: "sched_setaffinity() of the writer to 1" in text and "Enter  apply" in text)
        live.press("down", "down", "enter")  # below "any CPU" and the CPUs of node 0
        live.wait_for(lambda text: (found := ON_CPU.search(text)) is not None and found[1] == "1")
        reclaim_locally(live, "7")
        live.wait_for("was 0")
        live.press("q")
        assert live.wait() == 0
        assert live.left_on() == []
    assert read_knobs() == before


def test_three_settings_are_put_back_when_the_one_who_asked_is_killed(before: Mapping[Path, str]) -> None:
    with changed(before) as (asking, _):
        asking.kill()
        eventually(lambda: not strays(PREFIX), "the keeper has ended")
        assert read_knobs() == before


def test_three_settings_are_put_back_by_hand_after_the_keeper_was_killed_too(before: Mapping[Path, str]) -> None:
    with changed(before) as (asking, keeper):
        during = read_knobs()
        keeper.suspend()  # or it would put everything back at the other's death
        asking.kill()
        keeper.kill()
        eventually(lambda: not strays(PREFIX), "the keeper is dead")
        assert read_knobs() == during
        done = subprocess.run([WLAT, "restore"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("put back to") == 3, done.stdout
        assert read_knobs() == before


async def test_the_writer_and_its_pages_follow_pinning_and_policy_from_node_to_node() -> None:
    """Node n has just CPU n."""
    async with engine(LARGE) as running:
        for node in (1, 0):
            tick = await in_force(running, replace(LARGE, cpus=(node,)))
            assert (tick.cpu, tick.node, tick.refused) == (node, node, {})
            assert os.sched_getaffinity(tick.tid) == {node}
            assert await dirtying_node(running) == node
        for node in (1, 0):
            await in_force(running, replace(LARGE, cpus=(1 - node,), policy=Policy.BIND, policy_nodes=(node,)))
            assert await dirtying_node(running) == node


async def test_prepared_pages_are_on_the_writers_node_even_where_no_other_cpu_is() -> None:
    prepared = replace(LARGE, prewarm=Prewarm.WRITE, prewarm_bytes=1 << 20)
    async with engine(prepared) as running:
        for node in (1, 0):
            tick = await in_force(running, replace(prepared, cpus=(node,)))
            # this segment and the next may have been prepared before
            third = tick.segment + 3
            # the emulated precursor may come late for one, not for all
            await reported(running, partial(wrote_prepared, third))
            assert await dirtying_node(running) == node


@asynccontextmanager
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    running = await Engine.start(settings, DATA)
    try:
        yield running
    finally:
        assert await running.stop() is None


async def reported(running: Engine, enough: Callable[[WriterTick], bool]) -> WriterTick:
    """The next report that satisfies."""
    async with asyncio.timeout(WAIT_S):
        async for tick in running.ticks():
            if enough(tick):
                return tick
    raise AssertionError("the engine ended")


def wrote_prepared(number: int, tick: WriterTick) -> bool:
    return tick.segment >= number and tick.writes[WriteClass.PREPARED] > 0


async def in_force(running: Engine, settings: Settings) -> WriterTick:
    """The second report of writes made under these settings: the first may still say where the writer was before."""
    seq = await running.change(settings)
    for _ in range(2):
        tick = await reported(running, lambda tick: tick.settings_seq >= seq and sum(tick.writes) > 0)
    return tick


async def dirtying_node(running: Engine) -> int:
    """The node that newly written pages come from, by the kernel's own count."""
    begun = dirtied_pages()

    def gained() -> dict[int, int]:
        return {node: pages - begun[node] for node, pages in dirtied_pages().items()}

    await reported(running, lambda _: sum(gained().values()) >= 2000)
    found = gained()
    most = max(found, key=found.__getitem__)
    assert found[most] >= 0.9 * sum(found.values()), found
    return most


def dirtied_pages() -> dict[int, int]:
    """Node -> pages of it ever written to: nr_dirtied of nodeN/vmstat. In a guest nobody else writes to a disk."""
    vmstat = NodeVmstat()
    try:
        return {sample.node: sample.rows["nr_dirtied"] for sample in vmstat.read()}
    finally:
        vmstat.close()


@contextmanager
def changed(before: Mapping[Path, str]) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """Three settings changed through a keeper: the process that asked for it, and the keeper."""
    wanted = {
        "zone_reclaim_mode": "1",
        "min_free_kbytes": str(int(before[VM / "min_free_kbytes"]) + 1024),
        "watermark_scale_factor": "50",
    }
    command = [sys.executable, client.__file__, json.dumps(wanted)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd="/") as asking:
        try:
            assert asking.stdout is not None
            keeper = psutil.Process(int(asking.stdout.readline()))
            assert {name: read_text(VM / name) for name in wanted} == wanted
            yield asking, keeper
        finally:
            asking.kill()
