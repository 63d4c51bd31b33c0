"""wlat's writer measured while the real screen is drawn on a terminal of its own."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from wlat_tui.bench.terminal import BenchError, MeasuredTerminal

START_S = 20.0
"""Longer than a loaded machine needs to start."""


@dataclass(frozen=True, slots=True)
class UnderScreen:
    """One run."""

    figures_us: dict[str, float]
    """Quantiles by span, as the bare loop names them."""
    counts: dict[str, int]
    """writes, covered_ns, and whatever was lost, by name."""
    sent_bytes: int


def under_screen(directory: Path, interval_ns: int, warm_up_s: float, seconds: float, *, drawn: bool = True) -> UnderScreen:
    """Run the full screen at 120x40, or all but the drawing. Raises BenchError when it fails or its writer wrote nothing."""
    with tempfile.TemporaryDirectory() as scratch:
        result = Path(scratch) / "result.json"
        child = [sys.executable, "-m", "wlat_tui.bench.screen_child", "drawn" if drawn else "undrawn"]
        arguments = [str(directory), str(interval_ns), str(warm_up_s), str(seconds), str(result)]
        with MeasuredTerminal([*child, *arguments]) as terminal:
            terminal.wait(START_S + warm_up_s + seconds)
            sent = terminal.received_bytes
        found = json.loads(result.read_text())
    if not found["figures_us"]:
        raise BenchError(f"the engine wrote nothing in {directory} for {seconds:g} s")
    return UnderScreen(found["figures_us"], found["counts"], sent)
