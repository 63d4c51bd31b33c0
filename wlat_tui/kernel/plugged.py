"""Memory that can be plugged: which nodes have any, and how much there is in all."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_line, read_text

Plugged = tuple[str | None, str | None]


def read_plugged(root: Path = ROOT) -> Plugged:
    """Two lines as printed. Changed: topology and zones are to be read again.

    Source: /sys/devices/system/node/has_memory, MemTotal of /proc/meminfo (its first row); small and without locks.
    """
    meminfo = read_text(root / "proc/meminfo")
    return (
        read_line(root / "sys/devices/system/node/has_memory"),
        None if meminfo is None else meminfo.partition("\n")[0],
    )
