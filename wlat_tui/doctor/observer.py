"""`wlat doctor --observer`: what every kernel file that wlat reads costs here, and how much of that the live view spends."""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import KeptFile
from wlat_tui.kernel.kswapd import find_kswapd_pids
from wlat_tui.kernel.node_vmstat import NODES, online_nodes
from wlat_tui.kernel.pressure import RESOURCES
from wlat_tui.kernel.sysctl import WATERMARK_KNOBS, sysctl_path

TICKS_PER_S = 5.0
"""The live view's default tick is 200 ms."""
ZONEINFO_PER_S = 1 / 60
"""At start, once a minute, after a knob changed, and at most every 10 s after stalls."""
READS = 1000
HELD_READS = 50
HELD_PAUSE_S = 0.02
"""zoneinfo is printed under zone->lock: few reads, far apart."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A kernel file that wlat reads. ``kept``: the live view keeps it open."""

    path: Path
    per_s: float
    kept: bool
    lock: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds per read: fd kept open and pread, against open + read + close. None: it cannot be read, and why."""

    observed: Observed
    kept_p50_us: float | None = None
    kept_p99_us: float | None = None
    open_p50_us: float | None = None
    open_p99_us: float | None = None
    size_bytes: int | None = None
    reads: int = 0
    error: str | None = None

    @property
    def us_per_s(self) -> float | None:
        """What the live view spends on it in every second."""
        typical = self.kept_p50_us if self.observed.kept else self.open_p50_us
        return None if typical is None else typical * self.observed.per_s


def observed_files(root: Path = ROOT) -> tuple[Observed, ...]:
    """Every kernel file the live view reads again and again, with its pace."""
    nodes = online_nodes(root)
    rest = [
        *(Observed(root / NODES / f"node{node}/vmstat", TICKS_PER_S, True, "none") for node in nodes),
        Observed(root / NODES / "online", TICKS_PER_S, True, "none"),
        *(Observed(root / f"proc/{pid}/stat", 1.0, True, "none") for pid in find_kswapd_pids(frozenset(nodes), root).values()),
        Observed(root / "proc/vmstat", 1.0, True, "none; sums every CPU"),
        *(Observed(root / "proc/pressure" / name, 1.0, False, "PSI averages") for name in RESOURCES),
        *(Observed(sysctl_path(name, root), 1.0, False, "none") for name in WATERMARK_KNOBS),
        Observed(root / "proc/zoneinfo", ZONEINFO_PER_S, True, "zone->lock, IRQs off"),
    ]
    return tuple(item for item in rest if item.path.exists())


def measure(item: Observed, pause: Callable[[float], None] = time.sleep) -> Timing:
    """Time both ways of reading it. Takes about 30 ms, zoneinfo 2 s."""
    held = item.path.name == "zoneinfo"
    reads, pause_s = (HELD_READS, HELD_PAUSE_S) if held else (READS, 0.0)
    try:
        with KeptFile(item.path) as kept:
            size = len(kept.read())  # the first read of an open seq_file grows its buffer
            again = _times_us(kept.read, reads, pause_s, pause)
        fresh = _times_us(lambda: _read_once(item.path), reads, pause_s, pause)
    except OSError as error:
        reason = "switched off" if error.errno == errno.EOPNOTSUPP else os.strerror(error.errno or 0)
        return Timing(item, error=reason)
    return Timing(item, percentile(again, 50), percentile(again, 99), percentile(fresh, 50), percentile(fresh, 99), size, reads)


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def _read_once(path: Path) -> bytes:
    with KeptFile(path) as file:
        return file.read()


def _times_us(read: Callable[[], object], reads: int, pause_s: float, pause: Callable[[float], None]) -> list[float]:
    times = []
    for _ in range(reads):
        if pause_s:
            pause(pause_s)
        began_ns = time.perf_counter_ns()
        read()
        times.append((time.perf_counter_ns() - began_ns) / 1000)
    return times
