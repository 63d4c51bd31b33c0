"""Does the screen disturb what it measures? wlat's writer with the full screen, against a bare C loop on the same settings.

Two more sides tell how to read that: all of wlat but the drawing, and the bare loop once more, whose ratio to itself is the
noise of this host.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

from wlat_tui.bench.figures import against, compare
from wlat_tui.bench.terminal import BenchError
from wlat_tui.bench.under_screen import under_screen
from wlat_tui.frame import Settings

WARM_UP_S = 2.0
SIDES = ("bare loop", "undrawn", "bare again", "under screen")
TARGETS = {"p50": 1.05, "p99": 1.05, "p99.9": 1.15}


def bare(directory: Path, warm_up_s: float, seconds: float) -> dict[str, float]:
    """Figures (us) of the bare loop in a process of its own. Raises BenchError."""
    arguments = [sys.executable, "-m", "wlat_tui.bench.bare_child", str(directory), str(warm_up_s), str(seconds)]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"the bare loop failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return dict(json.loads(done.stdout))


def run(directory: Path, seconds: float, rounds: int, say: Callable[[str], None], warm_up_s: float = WARM_UP_S) -> list[str]:
    """Interleave the sides; lines for the terminal."""
    rounds_figures = []
    for number in range(1, rounds + 1):
        sides: dict[str, dict[str, float]] = {}
        # the order changes every round: what drifts (caches, a neighbour, the clock speed) must not favour one side
        for side in SIDES[:: 1 if number % 2 else -1]:
            say(f"fidelity: round {number} of {rounds}, {side}, {warm_up_s + seconds:g} s")
            if side.startswith("bare"):
                sides[side] = bare(directory, warm_up_s, seconds)
            else:
                drawn = side == "under screen"
                sides[side] = under_screen(directory, Settings().interval_ns, warm_up_s, seconds, drawn=drawn).figures_us
        rounds_figures.append(sides)

    def pairs(first: str, second: str) -> list[tuple[dict[str, float], dict[str, float]]]:
        return [(sides[first], sides[second]) for sides in rounds_figures]

    title = f"fidelity: {seconds:g} s per side and round, 220 B every 200 us, sleep mode"
    lines = compare(title, "bare loop", "under screen", pairs("bare loop", "under screen"))
    for name in rounds_figures[0]["bare loop"]:
        ratios = [second[name] / first[name] for first, second in pairs("bare loop", "under screen") if first[name]]
        if ratios:
            lines.append(against(f"{name} ratio (median)", median(ratios), TARGETS[name.split()[1]], ""))
    lines += compare("of which the drawing", "undrawn", "under screen", pairs("undrawn", "under screen"))
    return lines + compare("noise of this host", "bare loop", "bare again", pairs("bare loop", "bare again"))
