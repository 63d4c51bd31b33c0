"""How far wlat goes: 100,000 writes a second, and hosts with 64 nodes and 1,024 CPUs."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from wlat_tui.bench.figures import against
from wlat_tui.bench.zoneinfo_generator import large_zoneinfo
from wlat_tui.engine_client import Engine
from wlat_tui.frame import Settings
from wlat_tui.kernel.node_vmstat import NodeVmstat
from wlat_tui.kernel.zoneinfo import parse_zoneinfo

NODE_COUNTS = (1, 4, 16, 64)


async def fast_writer(directory: Path, seconds: float) -> list[str]:
    """A 10 us interval: writes made, slots given up, reports missed."""
    settings = Settings(interval_ns=10_000)
    engine = await Engine.start(settings, directory)
    writes = skipped = errors = lost = 0
    first_ns = last_ns = last_seq = 0
    async for tick in engine.ticks():
        if not first_ns:
            first_ns, last_seq = tick.begin_ns, tick.seq - 1
        lost += tick.seq - last_seq - 1
        last_seq, last_ns = tick.seq, tick.end_ns
        writes += sum(tick.writes)
        skipped += tick.skipped_slots
        errors += tick.error_slots
        if last_ns - first_ns >= seconds * 1e9:
            break
    await engine.stop()
    planned = (last_ns - first_ns) / settings.interval_ns
    return [
        f"reach: 10 us interval for {(last_ns - first_ns) / 1e9:.1f} s",
        f"  {writes:,} writes of {planned:,.0f} planned ({100 * writes / planned:.2f} %)",
        f"  {skipped} slots skipped, {errors} refused by the filesystem, {lost} reports missed",
    ]


def _median_ms(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times) * 1e3


def large_host(rounds: int = 15) -> list[str]:
    """Parsing a 64-node, 1,024-CPU zoneinfo, and a tick's cost of node vmstat by number of nodes."""
    text = large_zoneinfo()
    parse_ms = _median_ms(lambda: parse_zoneinfo(text), rounds)
    lines = [
        f"reach: made-up zoneinfo of 64 nodes and 1,024 CPUs ({len(text) / 1e6:.1f} MB), median of {rounds}",
        against("parse", parse_ms, 10, "ms"),
        "reach: reading nodeN/vmstat of a made-up tree, one tick, files kept open",
    ]
    source = Path("/sys/devices/system/node/node0/vmstat").read_text()
    for count in NODE_COUNTS:
        with tempfile.TemporaryDirectory() as scratch:
            nodes = Path(scratch) / "sys/devices/system/node"
            for node in range(count):
                (nodes / f"node{node}").mkdir(parents=True)
                (nodes / f"node{node}/vmstat").write_text(source)
            (nodes / "online").write_text(f"0-{count - 1}\n")
            reader = NodeVmstat(Path(scratch))
            reader.read()
            each_us = _median_ms(reader.read, rounds * 10) * 1e3
            reader.close()
            lines.append(f"  {count:>3} nodes {each_us:>10.1f} us, {each_us / count:.1f} us per node")
    return lines


def run(directory: Path, seconds: float) -> list[str]:
    """Both halves; lines for the terminal."""
    return [*asyncio.run(fast_writer(directory, seconds)), *large_host()]
