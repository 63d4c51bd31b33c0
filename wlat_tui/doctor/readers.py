"""Programs known to read /proc/slabinfo, which holds slab locks with interrupts off for as long as it walks partial slabs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.kernel.files import read_line, read_text

WALK_LIMIT = 50_000


def _short_flag(arguments: list[str], flag: str) -> bool:
    return any(word.startswith("-") and not word.startswith("--") and flag in word for word in arguments)


def _always(_arguments: list[str]) -> bool:
    return True


def _exports_slabs(arguments: list[str]) -> bool:
    return any(word.lstrip("-").startswith("collector.slabinfo") for word in arguments)


def _shows_slabs(arguments: list[str]) -> bool:
    return _short_flag(arguments, "m") or "--slabs" in arguments


@dataclass(frozen=True, slots=True)
class Reader:
    """A program, how to recognise that it runs, and how to stop it reading (``{pid}``: its process id)."""

    command: str
    how: str
    fix: str
    applies: Callable[[list[str]], bool] = _always
    surely: bool = True
    """False: whether it reads depends on a configuration or version that is not looked at."""
    daemon: bool = True


_EXPORTER_FIX = "remove --collector.slabinfo from its command line"

READERS = (
    Reader("below", "reads it at every sample since 2024, every 5 s as a service", "sudo systemctl stop below"),
    Reader("slabtop", "reads it every 3 s", "sudo kill {pid}", daemon=False),
    Reader("vmstat", "reads it (-m)", "sudo kill {pid}", _shows_slabs, daemon=False),
    Reader("node_exporter", "reads it at every scrape", _EXPORTER_FIX, _exports_slabs),
    Reader(
        "prometheus-node-exporter",
        "reads it at every scrape",
        _EXPORTER_FIX,
        _exports_slabs,
    ),
    Reader("slabinfo.plugin", "is netdata's collector for it", "sudo kill {pid}  # and set slabinfo = no in netdata.conf"),
    Reader("pmlogger", "logs it if pmlogconf found mem.slabinfo readable", "sudo systemctl stop pmlogger", surely=False),
    Reader("pmdalinux", "reads it if a client asks for mem.slabinfo", "sudo systemctl stop pmcd", surely=False),
    Reader("collectl", "logs slabs once a minute as a service (-s+YZ)", "take Y out of -s in collectl.conf", surely=False),
    Reader("telegraf", "reads it if inputs.slab is configured (since 1.23)", "take inputs.slab out", surely=False),
    Reader("traced_probes", "reads it if a trace asks for it (since 2026)", "take slabinfo out of the trace", surely=False),
    Reader("ss", "reads it if its iproute2 is old", "stop what runs ss, or upgrade iproute2", surely=False, daemon=False),
)


def slabinfo_readers(subject: Subject) -> Finding:
    """Known readers that run now; sure ones are a hazard."""
    why = "A read holds slab locks, interrupts off, while it walks partial slabs: all of them before Linux 6.10, then 10,000."
    running = sorted(_running(subject.root), key=lambda found: not found[0].surely)
    if running:
        here = "; ".join(f"{reader.command} (pid {pid}) {reader.how}" for reader, pid in running)
        reader, pid = running[0]
        state = State.HAZARD if reader.surely else State.DEGRADED
        return Finding("slabinfo readers", state, here, why, reader.fix.format(pid=pid))
    installed = [reader.command for reader in READERS if reader.daemon and subject.live and shutil.which(reader.command)]
    if installed:
        return Finding("slabinfo readers", State.OK, f"none running; installed: {', '.join(installed)}", why)
    return Finding("slabinfo readers", State.OK, "none known is running (those in other containers may be hidden)", why)


def _running(root: Path) -> Iterator[tuple[Reader, int]]:
    """One pass over the process list: names, and arguments only of those whose name is known."""
    known = {reader.command[:15]: reader for reader in READERS}  # the kernel keeps 15 characters (TASK_COMM_LEN)
    pids = sorted(int(entry.name) for entry in (root / "proc").iterdir() if entry.name.isdecimal())
    for pid in pids[:WALK_LIMIT]:
        reader = known.get(read_line(root / f"proc/{pid}/comm") or "")
        if reader and reader.applies((read_text(root / f"proc/{pid}/cmdline") or "").split("\0")[1:]):
            yield reader, pid
