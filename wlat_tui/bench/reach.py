"""How far wlat goes: 100,000 writes a second, and hosts with 64 nodes and 1,024 CPUs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from wlat_tui.bench.figures import against
from wlat_tui.bench.under_screen import under_screen
from wlat_tui.bench.zoneinfo_generator import large_zoneinfo
from wlat_tui.kernel.node_vmstat import NodeVmstat
from wlat_tui.kernel.zoneinfo import parse_zoneinfo

NODE_COUNTS = (1, 4, 16, 64)
INTERVAL_NS = 10_000
WARM_UP_S = 1.0
SAMPLE = Path("/sys/devices/system/node/node0/vmstat")


def fast_writer(directory: Path, seconds: float) -> list[str]:
    """A 10 us interval under the full screen: writes made, and everything that was lost, by name."""
    ran = under_screen(directory, INTERVAL_NS, WARM_UP_S, seconds)
    counts = dict(ran.counts)
    writes, covered_ns = counts.pop("writes"), counts.pop("covered_ns")
    planned = covered_ns / INTERVAL_NS
    lost = [f"{count:,} {name}" for name, count in counts.items() if count]
    figures = ", ".join(
        f"{name.removeprefix('service ')} {us:.2f} us" for name, us in ran.figures_us.items() if "service" in name
    )
    return [
        f"reach: 10 us interval for {covered_ns / 1e9:.1f} s with the screen at 120x40",
        f"  {writes:,} writes of {planned:,.0f} planned ({100 * writes / planned:.2f} %), service {figures}",
        f"  lost: {', '.join(lost) or 'nothing'}",
        f"  the screen was drawn all the time: {ran.sent_bytes / 1e3:.0f} KB sent",
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
    if not SAMPLE.exists():
        return [*lines, f"  n/a: this kernel has no {SAMPLE}"]
    source = SAMPLE.read_text()
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


def run(directory: Path, seconds: float, say: Callable[[str], None]) -> list[str]:
    """Both halves; lines for the terminal."""
    say(f"reach: 100,000 writes a second for {seconds:g} s")
    lines = fast_writer(directory, seconds)
    say("reach: made-up files of a large host")
    return [*lines, *large_host()]
