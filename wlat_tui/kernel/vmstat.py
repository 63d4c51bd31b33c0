"""/proc/vmstat: machine-wide page and event counts. Printed without a lock, but sums every CPU's counters."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import KeptFile, decode, parse_rows, read_text


def parse_vmstat(text: str) -> dict[str, int]:
    """Row name -> value. Pages or events since boot, in the kernel's own names."""
    return parse_rows(text)


def read_vmstat(root: Path = ROOT) -> dict[str, int] | None:
    """None without /proc. Raises OSError."""
    text = read_text(root / "proc/vmstat")
    return None if text is None else parse_vmstat(text)


class Vmstat(KeptFile):
    """/proc/vmstat kept open, for reading once a second."""

    def __init__(self, root: Path = ROOT) -> None:
        super().__init__(root / "proc/vmstat")

    def rows(self) -> dict[str, int]:
        return parse_vmstat(decode(self.read()))
