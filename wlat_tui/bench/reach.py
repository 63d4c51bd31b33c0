"""How far wlat goes: 100,000 writes a second, and hosts with 64 nodes and 1,024 CPUs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wlat_tui.bench import large_host
from wlat_tui.bench.under_screen import under_screen

INTERVAL_NS = 10_000
WARM_UP_S = 1.0


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


def run(directory: Path, seconds: float, say: Callable[[str], None]) -> list[str]:
    """Both halves; lines for the terminal."""
    say(f"reach: 100,000 writes a second for {seconds:g} s")
    lines = fast_writer(directory, seconds)
    say("reach: made-up files of a large host")
    return [*lines, *large_host.run()]
