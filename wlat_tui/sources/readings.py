"""When each kernel file is read: often what costs nobody anything, rarely what holds a lock.

| every tick          | nodeN/vmstat                       | no lock                                             |
| once a second       | /proc/vmstat, /proc/stat, PSI, watermark knobs, kswapd, how much memory | per-CPU sums, a mutex |
|                     | there is                           | nobody waits for                                    |
| also after a stall  | PSI                                | the same                                            |
| rarely              | /proc/zoneinfo                     | zone->lock, interrupts off, while it prints a zone  |
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wlat_tui.evidence import CpuTime
from wlat_tui.frame import Host, Kswapd, NodeSample, Pressure, Zone
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.cpu_times import CpuTimes
from wlat_tui.kernel.host import read_host
from wlat_tui.kernel.kswapd import KswapdStat
from wlat_tui.kernel.node_vmstat import NodeVmstat
from wlat_tui.kernel.plugged import Plugged, read_plugged
from wlat_tui.kernel.pressure import read_pressure
from wlat_tui.kernel.sysctl import watermark_knobs
from wlat_tui.kernel.vmstat import Vmstat
from wlat_tui.kernel.zoneinfo import Zoneinfo

SECOND_NS = 1_000_000_000
ZONES_AFTER_STALL_NS = 10 * SECOND_NS
"""A stall asks for zoneinfo, but never sooner than this after the last time."""
ZONES_ANYWAY_NS = 60 * SECOND_NS
"""Boosted watermarks and per-zone free pages are visible nowhere else, so they are looked at even in quiet times."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read for one frame; None: not this time, or this kernel does not have it."""

    nodes: tuple[NodeSample, ...] | None
    zones: tuple[Zone, ...] | None
    vmstat: dict[str, int] | None
    pressure: tuple[Pressure, ...] | None
    cpu_times: tuple[CpuTime, ...] | None
    host: Host | None
    """Set when it was never read, or nodes, CPUs or memory came or went."""
    notices: tuple[str, ...]


NOTHING = Reading(None, None, None, None, None, None, ())


class Readings:
    """The kernel files of one host, held open, each read at its own pace."""

    def __init__(self, directory: Path, privilege: str, root: Path = ROOT) -> None:
        self._root = root
        self._directory = directory
        self._privilege = privilege
        self._nodes = NodeVmstat(root)
        self._vmstat = Vmstat(root) if (root / "proc/vmstat").exists() else None
        self._cpu_times = CpuTimes(root) if (root / "proc/stat").exists() else None
        self._zoneinfo = Zoneinfo(root) if (root / "proc/zoneinfo").exists() else None
        self._kswapd = KswapdStat(root)
        self._seen_nodes: tuple[int, ...] | None = None
        self._seen_cpus: frozenset[int] | None = None
        self._with_memory: frozenset[int] = frozenset()
        self._knobs: tuple[str | None, ...] | None = None
        self._plugged: Plugged | None = None
        self._second_ns = -SECOND_NS
        self._zones_ns = 0
        self._refused: set[str] = set()
        self.spent_ns = 0
        """Time spent reading since the start."""

    def read(self, now_ns: int, *, stalled: bool, zones_asked: bool) -> Reading:
        """Read what is due at *now_ns* (CLOCK_MONOTONIC). A file that cannot be read becomes a notice, once."""
        notices: list[str] = []
        began_ns = time.perf_counter_ns()
        vmstat = pressure = cpu_times = zones = host = None
        kswapds: Mapping[int, Kswapd] | None = None
        knobs_changed = plugged = False
        if now_ns - self._second_ns >= SECOND_NS:
            self._second_ns = now_ns
            with self._noticing(notices):
                vmstat = self._vmstat.rows() if self._vmstat else None
            with self._noticing(notices):
                cpu_times = self._cpu_times.read() if self._cpu_times else None
            with self._noticing(notices):
                kswapds = self._kswapd.read(self._with_memory) if self._with_memory else None
            with self._noticing(notices):
                knobs = watermark_knobs(self._root)
                knobs_changed, self._knobs = self._knobs is not None and knobs != self._knobs, knobs
            with self._noticing(notices):
                memory = read_plugged(self._root)
                plugged, self._plugged = self._plugged is not None and memory != self._plugged, memory
        if stalled or now_ns == self._second_ns:
            with self._noticing(notices):
                pressure = read_pressure(self._root)
        nodes: tuple[NodeSample, ...] = ()
        with self._noticing(notices):
            nodes = self._nodes.read(kswapds)
        numbers = tuple(sample.node for sample in nodes)
        cpus = self._seen_cpus if cpu_times is None else frozenset(each.cpu for each in cpu_times)
        if moved := plugged or (numbers, cpus) != (self._seen_nodes, self._seen_cpus):
            self._seen_nodes, self._seen_cpus = numbers, cpus
            with self._noticing(notices):
                host = read_host(self._directory, self._privilege, self._root)
                self._with_memory = frozenset(shape.node for shape in host.nodes if shape.has_memory)
        since_ns = now_ns - self._zones_ns
        due = since_ns >= ZONES_ANYWAY_NS or (stalled and since_ns >= ZONES_AFTER_STALL_NS)
        if self._zoneinfo and (moved or knobs_changed or zones_asked or due):
            self._zones_ns = now_ns
            with self._noticing(notices):
                zones = self._zoneinfo.table().zones
        self.spent_ns += time.perf_counter_ns() - began_ns
        return Reading(nodes, zones, vmstat, pressure, cpu_times, host, tuple(notices))

    def set_privilege(self, privilege: str) -> None:
        """What engine and keeper turned out to run as; the next reading tells it with the host."""
        self._privilege, self._seen_nodes = privilege, None

    def close(self) -> None:
        self._nodes.close()
        self._kswapd.close()
        for file in (self._vmstat, self._cpu_times, self._zoneinfo):
            if file:
                file.close()

    @contextmanager
    def _noticing(self, notices: list[str]) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            sentence = f"{error.filename or 'a kernel file'} cannot be read: {error.strerror}"
            if sentence not in self._refused:
                self._refused.add(sentence)
                notices.append(sentence)
