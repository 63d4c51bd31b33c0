"""/sys/devices/system/cpu: online and isolated CPUs, frequency governors, idle states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.cpulist import parse_cpulist
from wlat_tui.kernel.files import read_line, read_text

CPUS = Path("sys/devices/system/cpu")


@dataclass(frozen=True, slots=True)
class IdleState:
    """One state of /sys/devices/system/cpu/cpuN/cpuidle; ``latency_us`` is what leaving it takes."""

    name: str
    latency_us: int
    disabled: bool


def read_online_cpus(root: Path = ROOT) -> tuple[int, ...] | None:
    """None when the file is missing. Raises OSError."""
    return _cpu_list("online", root)


def read_isolated_cpus(root: Path = ROOT) -> tuple[int, ...] | None:
    """CPUs taken out of load balancing (isolcpus=, cpuset partitions). Since 4.2. Raises OSError."""
    return _cpu_list("isolated", root)


def read_nohz_full_cpus(root: Path = ROOT) -> tuple[int, ...] | None:
    """CPUs without a regular tick (nohz_full=). None when the kernel has none; some print "(null)" for it. Raises OSError."""
    return _cpu_list("nohz_full", root)


def read_governors(root: Path = ROOT) -> dict[int, str]:
    """CPU -> scaling governor; {} without cpufreq (most virtual machines). Raises OSError."""
    found = {}
    for cpu in read_online_cpus(root) or ():
        text = read_line(root / CPUS / f"cpu{cpu}/cpufreq/scaling_governor")
        if text:
            found[cpu] = text
    return found


def read_idle_states(cpu: int, root: Path = ROOT) -> tuple[IdleState, ...]:
    """Shallowest first; () without cpuidle. Raises OSError."""
    states: list[IdleState] = []
    while True:
        here = root / CPUS / f"cpu{cpu}/cpuidle/state{len(states)}"
        name, latency = read_line(here / "name"), read_line(here / "latency")
        if name is None or latency is None:
            return tuple(states)
        states.append(IdleState(name, int(latency), read_line(here / "disable") not in (None, "0")))


def _cpu_list(name: str, root: Path) -> tuple[int, ...] | None:
    text = read_text(root / CPUS / name)
    if text is None or text.strip() == "(null)":
        return None
    return parse_cpulist(text)
