"""What wlat itself takes from the host."""

from __future__ import annotations

import os
import time
from pathlib import Path

from wlat_tui.frame import Cost, WriterTick
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.descendants import cpu_ns, descendants
from wlat_tui.kernel.files import read_line

PERIOD_NS = 1_000_000_000
ENGINE = "wlat-engine"
"""Its own reports tell what it takes, and how much of that is the writer's."""


class CostMeter:
    """CPU of screen, engine and all other children (keeper, watcher), and time in kernel reads, over the last second or so."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._helpers: dict[int, int] = {}
        self._at_ns: int | None = None
        self._screen_ns = self._engine_ns = self._writer_ns = self._spent_ns = 0

    def take(self, now_ns: int, tick: WriterTick | None, spent_ns: int, kept_off: frozenset[int] = frozenset()) -> Cost | None:
        """The cost since the last one, once a second; None in between.

        Args:
            now_ns: CLOCK_MONOTONIC.
            tick: carries the CPU time of the engine's threads; without one the engine is not running.
            spent_ns: time spent reading kernel files since the start.
            kept_off: CPUs that are left to the writer.
        """
        if self._at_ns is not None and now_ns - self._at_ns < PERIOD_NS:
            return None
        engine_ns, writer_ns = (tick.engine_cpu_ns, tick.writer_cpu_ns) if tick else (0, 0)
        screen_ns = time.process_time_ns() + self._helpers_ns()
        cost = None
        if self._at_ns is not None:
            elapsed_ns = now_ns - self._at_ns
            # a restarted engine counts from zero again
            writer_pct = 100 * max(0, writer_ns - self._writer_ns) / elapsed_ns
            engine_pct = 100 * max(0, engine_ns - self._engine_ns) / elapsed_ns - writer_pct
            cost = Cost(
                monitor_cpu_pct=100 * (screen_ns - self._screen_ns) / elapsed_ns,
                engine_cpu_pct=max(0.0, engine_pct),
                writer_cpu_pct=writer_pct,
                read_us=(spent_ns - self._spent_ns) / 1e3 / (elapsed_ns / 1e9),
                sent_bytes_per_s=None,
                kept_off_cpus=tuple(sorted(kept_off)),
            )
        self._at_ns, self._screen_ns, self._engine_ns, self._writer_ns, self._spent_ns = (
            now_ns,
            screen_ns,
            engine_ns,
            writer_ns,
            spent_ns,
        )
        return cost

    def _helpers_ns(self) -> int:
        """CPU time of every other child since the start, those that have ended included as last seen."""
        for pid in descendants(os.getpid(), self._root):
            if read_line(self._root / f"proc/{pid}/comm") != ENGINE:
                self._helpers[pid] = max(self._helpers.get(pid, 0), cpu_ns(pid, self._root))
        return sum(self._helpers.values())
