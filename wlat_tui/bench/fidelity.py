"""Does the screen disturb what it measures? wlat's writer with the full screen, against a bare C loop on the same settings.

A third side tells the screen's part of it: the bare loop while a wlat that hardly writes draws its screen beside it. What it
suffers there, every program beside a screen would; what only wlat's writer suffers is the engine's own doing.
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
from wlat_tui.bench.under_screen import START_S, screen_beside, under_screen
from wlat_tui.frame import Settings

WARM_UP_S = 2.0
SIDES = ("bare loop", "under screen", "beside screen")
TARGETS = {"p50": 1.05, "p99": 1.05, "p99.9": 1.15}


def bare(directory: Path, warm_up_s: float, seconds: float) -> dict[str, float]:
    """Figures (us) of the bare loop in a process of its own. Raises BenchError."""
    arguments = [sys.executable, "-m", "wlat_tui.bench.bare_child", str(directory), str(warm_up_s), str(seconds)]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"the bare loop failed: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    return dict(json.loads(done.stdout))


def run(directory: Path, seconds: float, rounds: int, say: Callable[[str], None], warm_up_s: float = WARM_UP_S) -> list[str]:
    """Interleave both sides; lines for the terminal."""
    rows: list[dict[str, dict[str, float]]] = []
    for number in range(1, rounds + 1):
        sides: dict[str, dict[str, float]] = {}
        # the order changes every round: what drifts (caches, a neighbour, the clock speed) must not favour one side
        for side in SIDES[:: 1 if number % 2 else -1]:
            say(f"fidelity: round {number} of {rounds}, {side}, {warm_up_s + seconds:g} s")
            if side == "bare loop":
                sides[side] = bare(directory, warm_up_s, seconds)
            elif side == "under screen":
                sides[side] = under_screen(directory, Settings().interval_ns, warm_up_s, seconds).figures_us
            else:
                with screen_beside(directory, 2 * START_S + warm_up_s + seconds):
                    sides[side] = bare(directory, warm_up_s, seconds)
        rows.append(sides)
    title = f"fidelity: {seconds:g} s per side and round, 220 B every 200 us, sleep mode"
    runs = [(row["bare loop"], row["under screen"]) for row in rows]
    lines = compare(title, "bare loop", "under screen", runs)
    lines += compare("", "bare loop", "beside screen", [(row["bare loop"], row["beside screen"]) for row in rows])[1:]
    for name in runs[0][0]:
        ratios = [second[name] / first[name] for first, second in runs if first[name]]
        if ratios:
            lines.append(against(f"{name} ratio (median)", median(ratios), TARGETS[name.split()[1]], ""))
    return lines
