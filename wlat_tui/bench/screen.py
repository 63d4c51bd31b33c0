"""What the live screen costs: CPU, bytes, memory, start and end, at 120x40 with the defaults."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from wlat_tui.bench.figures import against
from wlat_tui.bench.terminal import MeasuredTerminal

FIRST_SCREEN_BYTES = 3_000
"""The first full screen is at least this much; what comes before are terminal modes."""
SETTLE_S = 3.0


def bare_writer_cpu_pct(directory: Path, seconds: float) -> float:
    """CPU of the bare loop on the same schedule, per cent of one core, start-up included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    arguments = [sys.executable, "-m", "wlat_tui.bench.bare_child", str(directory), "0", str(seconds)]
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 100 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / seconds


def one_round(directory: Path, seconds: float, extra: Sequence[str]) -> dict[str, float]:
    """Start, measure and leave one live screen."""
    command = [sys.executable, "-m", "wlat_tui", "--dir", str(directory), *extra]
    terminal = MeasuredTerminal(command)
    first_s = terminal.drain(10, until_quiet_after_bytes=FIRST_SCREEN_BYTES) - terminal.started_s
    terminal.drain(SETTLE_S)
    usage = terminal.measure(seconds)
    quit_s = terminal.leave()
    return {
        "first screen s": first_s,
        "cpu %": 100 * usage.cpu_s / usage.seconds,
        "writer cpu %": 100 * usage.writer_cpu_s / usage.seconds,
        "bytes/s": usage.sent_bytes / usage.seconds,
        "pss MB": usage.pss_bytes / 1e6,
        "quit s": quit_s,
    }


def run(directory: Path, seconds: float, rounds: int) -> list[str]:
    """Full and low-bandwidth screens beside the bare writer; lines for the terminal."""
    bare, full, low = [], [], []
    for _ in range(rounds):
        bare.append(bare_writer_cpu_pct(directory, seconds))
        full.append(one_round(directory, seconds, ["--full-bandwidth"]))
        low.append(one_round(directory, seconds, ["--low-bandwidth"]))

    def middle(runs: list[dict[str, float]], name: str) -> float:
        return median(run[name] for run in runs)

    writer = median(bare)
    return [
        f"screen: 120x40, defaults, {seconds:g} s per round, medians of {rounds} rounds",
        f"  the bare writer alone takes {writer:.2f} % of one core; wlat's writer thread {middle(full, 'writer cpu %'):.2f} %",
        against("all processes, above bare writer", middle(full, "cpu %") - writer, 4, "%"),
        against("sent", middle(full, "bytes/s") / 1e3, 6, "KB/s"),
        against("sent, low bandwidth", middle(low, "bytes/s") / 1e3, 2, "KB/s"),
        against("PSS of all processes", middle(full, "pss MB"), 80, "MB"),
        against("first full screen", middle(full, "first screen s"), 0.7, "s"),
        against("quit", middle(full, "quit s"), 0.5, "s"),
    ]
