"""What the live screen costs: CPU, bytes, memory, start and end, at 120x40 with the defaults."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from wlat_tui.bench.figures import against
from wlat_tui.bench.terminal import MeasuredTerminal
from wlat_tui.panels.latency import LatencyPanel
from wlat_tui.panels.mitigations import MitigationsPanel
from wlat_tui.panels.nodes import NodesPanel

FULL = (LatencyPanel.title, NodesPanel.title, MitigationsPanel.title, "quit", os.uname().nodename)
"""Every panel, the row of keys, and the host's name, which only comes with what the kernel said."""
FIGURES = ("worst so far",)
"""Shown once the engine has reported a finished write."""
START_S = 30.0
SETTLE_S = 3.0


def bare_writer_cpu_pct(directory: Path, seconds: float) -> float:
    """CPU of the bare loop on the same schedule, per cent of one core; what starting Python takes is measured and taken off."""

    def child_cpu_s(loop_s: float) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        arguments = [sys.executable, "-m", "wlat_tui.bench.bare_child", str(directory), "0", str(loop_s)]
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    least_s = 0.001
    return max(0.0, 100 * (child_cpu_s(seconds) - child_cpu_s(least_s)) / (seconds - least_s))


def one_round(directory: Path, seconds: float, extra: Sequence[str]) -> dict[str, float]:
    """Start, measure and leave one live screen. Raises BenchError when it fails."""
    command = [sys.executable, "-m", "wlat_tui", "--dir", str(directory), *extra]
    with MeasuredTerminal(command) as terminal:
        shown = terminal.wait_for({"full": FULL, "figures": FIGURES}, START_S)
        terminal.drain(SETTLE_S)
        usage = terminal.measure(seconds)
        quit_s = terminal.leave()
    return {
        "first screen s": shown["full"],
        "first figures s": shown["figures"],
        "cpu %": 100 * usage.cpu_s / usage.seconds,
        "writer cpu %": 100 * usage.writer_cpu_s / usage.seconds,
        "bytes/s": usage.sent_bytes / usage.seconds,
        "pss MB": usage.pss_bytes / 1e6,
        "quit s": quit_s,
    }


def run(directory: Path, seconds: float, rounds: int, say: Callable[[str], None]) -> list[str]:
    """Full and low-bandwidth screens beside the bare writer; lines for the terminal."""
    bare, full, low = [], [], []
    for number in range(1, rounds + 1):
        say(f"screen: round {number} of {rounds}, about {3 * seconds + 10:.0f} s")
        bare.append(bare_writer_cpu_pct(directory, seconds))
        full.append(one_round(directory, seconds, ["--full-bandwidth"]))
        low.append(one_round(directory, seconds, ["--low-bandwidth"]))

    def middle(runs: list[dict[str, float]], name: str) -> float:
        return median(run[name] for run in runs)

    writer = median(bare)
    return [
        f"screen: 120x40, defaults, {seconds:g} s per round, medians of {rounds} rounds",
        f"  the bare writer alone takes {writer:.2f} % of one core; wlat's writer thread {middle(full, 'writer cpu %'):.2f} %",
        f"  all processes take {middle(full, 'cpu %'):.2f} % of one core, {middle(low, 'cpu %'):.2f} % in low bandwidth",
        against("all processes, above bare writer", middle(full, "cpu %") - writer, 4, "%"),
        against("sent", middle(full, "bytes/s") / 1e3, 6, "KB/s"),
        against("sent, low bandwidth", middle(low, "bytes/s") / 1e3, 2, "KB/s"),
        against("PSS of all processes", middle(full, "pss MB"), 80, "MB"),
        against("first full screen", middle(full, "first screen s"), 0.7, "s"),
        f"  {'first figures of the writer':<34}{middle(full, 'first figures s'):>12.2f} s",
        against("quit", middle(full, "quit s"), 0.5, "s"),
    ]
