"""/proc/stat: what each CPU spent its time on, steal (time the hypervisor gave to others) included."""

from __future__ import annotations

import re
from pathlib import Path

from wlat_tui.evidence import CpuTime
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import KeptFile, decode

FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
"""In the order printed; steal since 2.6.11, guest since 2.6.24, guest_nice since 2.6.33. Source: fs/proc/stat.c show_stat."""
_LINE = re.compile(r"^cpu(\d+)((?: +\d+)+) *$", re.MULTILINE)


def parse_cpu_times(text: str) -> tuple[CpuTime, ...]:
    """One per online CPU, in USER_HZ ticks since boot. Columns this kernel does not print are absent."""
    return tuple(
        CpuTime(int(number), dict(zip(FIELDS, map(int, columns.split()), strict=False)))
        for number, columns in _LINE.findall(text)
    )


class CpuTimes:
    """The file, held open. Printing it sums interrupts over all CPUs (a line of its own), so once a second is often enough."""

    def __init__(self, root: Path = ROOT) -> None:
        """Raises OSError when it cannot be opened."""
        self._file = KeptFile(root / "proc/stat")

    def read(self) -> tuple[CpuTime, ...]:
        """Raises OSError."""
        return parse_cpu_times(decode(self._file.read()))

    def close(self) -> None:
        self._file.close()
