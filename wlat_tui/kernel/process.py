"""/proc/PID/stat: state and CPU time of one process or kernel thread."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_text

_KERNEL_THREAD = 0x0020_0000
"""PF_KTHREAD. Source: include/linux/sched.h; the same since 2.6.27."""
TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """``cpu_ns`` is user and system time, in steps of `TICK_NS` (10 ms)."""

    pid: int
    name: str
    state: str
    parent: int
    cpu_ns: int
    kernel_thread: bool = False


def parse_stat(text: str) -> ProcessStat:
    """The name may hold blanks and parentheses: it ends at the last one. Raises ValueError: not a stat line."""
    head, found, rest = text.rpartition(")")
    pid, opened, name = head.partition(" (")
    fields = rest.split()
    if not (found and opened and len(fields) > 12):
        raise ValueError(f"not a line of /proc/PID/stat: '{text[:60].strip()}'")
    cpu_ns = (int(fields[11]) + int(fields[12])) * TICK_NS
    return ProcessStat(int(pid), name, fields[0], int(fields[1]), cpu_ns, bool(int(fields[6]) & _KERNEL_THREAD))


def read_stat(pid: int | str, root: Path = ROOT) -> ProcessStat | None:
    """None when the process is gone or not visible here (pid "self" works). Raises OSError."""
    text = read_text(root / f"proc/{pid}/stat")
    return None if text is None else parse_stat(text)


def process_of(tid: int, root: Path = ROOT) -> int | None:
    """The process a thread belongs to; None when it is gone or not visible here. Source: Tgid of /proc/TID/status."""
    for line in (read_text(root / f"proc/{tid}/status") or "").splitlines():
        if line.startswith("Tgid:"):
            return int(line.split()[1])
    return None
