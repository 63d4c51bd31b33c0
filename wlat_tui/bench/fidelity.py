"""Does the screen disturb what it measures? wlat's writer with the full screen, against a bare C loop on the same settings."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from wlat_tui.bench.figures import against, compare
from wlat_tui.bench.terminal import MeasuredTerminal

WARM_UP_S = 2.0
TARGETS = {"p50": 1.05, "p99": 1.05, "p99.9": 1.15}


def bare(directory: Path, seconds: float) -> dict[str, float]:
    """Figures (us) of the bare loop in a process of its own."""
    arguments = [sys.executable, "-m", "wlat_tui.bench.bare_child", str(directory), str(WARM_UP_S), str(seconds)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def under_screen(directory: Path, seconds: float) -> dict[str, float]:
    """Figures (us) of wlat's writer while the real screen is drawn on a 120x40 terminal."""
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "figures.json"
        module = [sys.executable, "-m", "wlat_tui.bench.screen_child"]
        terminal = MeasuredTerminal([*module, str(directory), str(WARM_UP_S), str(seconds), str(result)])
        # the child ends by itself: the source stops, and closing the terminal's other side ends the drain
        terminal.drain(WARM_UP_S + seconds + 3)
        terminal.leave()
        return dict(json.loads(result.read_text()))


def run(directory: Path, seconds: float, rounds: int) -> list[str]:
    """Interleave both sides; lines for the terminal."""
    runs = [(bare(directory, seconds), under_screen(directory, seconds)) for _ in range(rounds)]
    lines = compare(
        f"fidelity: {seconds:g} s per side and round, 220 B every 200 us, sleep mode", "bare loop", "under screen", runs
    )
    for name in runs[0][0]:
        ratio = median(second[name] / first[name] for first, second in runs)
        lines.append(against(f"{name} ratio (median)", ratio, TARGETS[name.split()[1]], ""))
    return lines
