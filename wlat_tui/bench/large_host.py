"""What a tick costs on a host of 64 nodes and 1,024 CPUs: a made-up tree of kernel files, the screen over made-up frames.

CPU time, so that what else runs here does not count.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from wlat_tui.app import WlatApp
from wlat_tui.bench.zoneinfo_generator import large_zoneinfo
from wlat_tui.kernel.zoneinfo import parse_zoneinfo
from wlat_tui.model.session import Session
from wlat_tui.sources.readings import SECOND_NS, Readings
from wlat_tui.sources.scripted import ScriptedSource

NODES, CPUS = 64, 1024
NODE_COUNTS = (1, 4, 16, 64)
SIZES = ((80, 24), (120, 40), (200, 60))
HERE = Path("/")
CPU_ROW = "cpu{} 104 0 311 98123 7 0 3 0 0 0"
START_S = 20.0


def make_tree(root: Path, nodes: int = NODES, cpus: int = CPUS) -> None:
    """The files that a tick reads, with this host's own vmstat. Raises OSError where this kernel has none."""
    each = cpus // nodes
    system, proc = root / "sys/devices/system", root / "proc"
    vmstat = (HERE / "sys/devices/system/node/node0/vmstat").read_text()
    for node in range(nodes):
        place = system / f"node/node{node}"
        place.mkdir(parents=True)
        (place / "vmstat").write_text(vmstat)
        (place / "cpulist").write_text(f"{node * each}-{node * each + each - 1}\n")
        (place / "distance").write_text(" ".join("10" if other == node else "21" for other in range(nodes)) + "\n")
        (place / "meminfo").write_text(f"Node {node} MemTotal: 33554432 kB\nNode {node} MemFree: 8388608 kB\n")
    for name in ("online", "possible", "has_memory"):
        (system / "node" / name).write_text(f"0-{nodes - 1}\n")
    (system / "cpu").mkdir()
    (system / "cpu/online").write_text(f"0-{cpus - 1}\n")
    proc.mkdir()
    (proc / "vmstat").write_text((HERE / "proc/vmstat").read_text())
    (proc / "meminfo").write_text(f"MemTotal: {33554432 * nodes} kB\n")
    (proc / "zoneinfo").write_text(large_zoneinfo(nodes, cpus))
    (proc / "stat").write_text("\n".join([CPU_ROW.format(""), *(CPU_ROW.format(cpu) for cpu in range(cpus))]) + "\n")


def _median_us(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return median(times) * 1e6


def reading(rounds: int) -> list[str]:
    """Parsing zoneinfo, and what reading takes by number of nodes: a plain tick, the one that is due each second, the first."""
    text = large_zoneinfo(NODES, CPUS)
    parsed_us = _median_us(lambda: parse_zoneinfo(text), rounds)
    lines = [
        f"reach: made-up zoneinfo of {NODES} nodes and {CPUS:,} CPUs ({len(text) / 1e6:.1f} MB), CPU time, median of {rounds}",
        f"  {'parse':<20}{parsed_us / 1e3:>10.2f} ms",
        "reach: reading a made-up tree as the screen does, files kept open",
        f"  {'':<20}{'plain tick':>12}{'each second':>14}{'at the start':>14}",
    ]
    for count in NODE_COUNTS:
        with tempfile.TemporaryDirectory() as scratch:
            root = Path(scratch)
            try:
                make_tree(root, count, count * CPUS // NODES)
            except FileNotFoundError as error:
                return [*lines, f"  n/a: this kernel has no {error.filename}"]
            readings = Readings(root, "root", root)
            now = [SECOND_NS]

            def read(step_ns: int, readings: Readings = readings, now: list[int] = now) -> None:
                now[0] += step_ns
                readings.read(now[0], stalled=False, zones_asked=False)

            first_us = _median_us(partial(read, 0), 1)
            plain_us = _median_us(partial(read, 1), rounds * 10)
            second_us = _median_us(partial(read, SECOND_NS), rounds)
            readings.close()
        name = f"{count} node{'s' * (count > 1)}, {count * CPUS // NODES:,} CPUs"
        lines.append(f"  {name:<20}{plain_us:>9.0f} us{second_us:>11.0f} us{first_us / 1e3:>11.1f} ms")
    return lines


async def _drawn_us(size: tuple[int, int], rounds: int) -> float:
    app = WlatApp(ScriptedSource(nodes=NODES))
    async with app.run_test(size=size) as pilot:
        async with asyncio.timeout(START_S):
            while app.session.frames < 2:
                await asyncio.sleep(0.05)
        times = []
        for _ in range(rounds):
            app._fresh = True
            began = time.thread_time()
            app.draw()
            await pilot.pause(0)  # the widgets put it on the screen
            times.append(time.thread_time() - began)
    return median(times) * 1e6


def screen(rounds: int) -> list[str]:
    """Taking a frame of 64 nodes into the model, and drawing it."""
    source, session = ScriptedSource(nodes=NODES, realtime=False), Session()
    frames = [source.next_frame() for _ in range(rounds * 5)]
    times = []
    for frame in frames:
        began = time.thread_time()
        session.fold(frame)
        times.append(time.thread_time() - began)
    folded_us = median(times) * 1e6
    lines = [
        f"reach: the screen over made-up frames of {NODES} nodes, CPU time",
        f"  {'into the model':<20}{folded_us:>9.0f} us",
    ]
    for size in SIZES:
        name = f"drawn at {size[0]}x{size[1]}"
        lines.append(f"  {name:<20}{asyncio.run(_drawn_us(size, rounds)) / 1e3:>9.1f} ms")
    return lines


def run(rounds: int = 15) -> list[str]:
    """Lines for the terminal."""
    return [*reading(rounds), *screen(rounds)]
