"""CPU time of the processes that descend from one: /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN) and schedstat."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_text


def descendants(pid: int, root: Path = ROOT) -> Iterator[int]:
    """Children, their children, and so on; none where the kernel does not list them. Raises OSError."""
    for task in _tasks(pid, root):
        for child in map(int, (read_text(task / "children") or "").split()):
            yield child
            yield from descendants(child, root)


def cpu_ns(pid: int, root: Path = ROOT) -> int:
    """Time its present threads spent on CPUs; 0 when it is gone. Source: first field of task/TID/schedstat."""
    times = (read_text(task / "schedstat") for task in _tasks(pid, root))
    return sum(int(time.split()[0]) for time in times if time)


def _tasks(pid: int, root: Path) -> list[Path]:
    try:
        return list((root / f"proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError, PermissionError):  # ended meanwhile, or hidden from us
        return []
