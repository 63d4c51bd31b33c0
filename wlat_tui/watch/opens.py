"""Opens of kernel files by path, wherever their proc is mounted: a filter on the open system calls. Only on request.

Where the kernel has no kernel probes nothing else sees a reader with a proc of its own, as in a container. While it is armed
the kernel traces the system calls of every process, which takes each of them the slower path, and compares the path of every
open. Only the opening shows, not how long is read. What fanotify tells as well is left to it: that knows more.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wlat_tui.evidence import Disturbance
from wlat_tui.kernel import ROOT
from wlat_tui.watch.names import Names

OPEN_CALLS = ("syscalls/sys_enter_openat", "syscalls/sys_enter_open", "syscalls/sys_enter_openat2")
"""musl's libc still calls open; openat2 came with 5.6. A kernel may lack all but the first."""
PATIENCE_NS = 100_000_000
"""So long after a call fanotify has told of it, if it ever will."""
MOST_WAITING = 5_000


def path_filter(path: str) -> str:
    """Those calls whose path ends like this one. ``.ustring``: it is still in the caller's memory (since 5.17)."""
    return f'filename.ustring ~ "*{path.rpartition("/")[2]}"'


@dataclass(slots=True)
class Opens:
    """Calls that may have opened one of the files, until it is known whether a mark told of them."""

    names: Names
    root: Path = ROOT
    _waiting: list[tuple[int, str, int]] = field(default_factory=list)

    def take(self, at_ns: int, pid: int, what: str, now_ns: int) -> None:
        """A call. It may fail: of those whose /proc is ours the marks tell what was opened indeed."""
        if self._sees_our_proc(pid):
            return
        self.names.thread(pid, what, now_ns)  # now, it may be gone soon
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append((at_ns, what, pid))

    def settle(self, marked_ns: Mapping[tuple[str, int], int], now_ns: int) -> list[Disturbance]:
        """Those that no mark told of. ``marked_ns``: file and pid -> when a mark last told that it was opened."""
        found, waiting = [], []
        for at_ns, what, pid in self._waiting:
            if now_ns - at_ns < PATIENCE_NS:
                waiting.append((at_ns, what, pid))
            elif marked_ns.get((what, pid), 0) < at_ns:
                life = self.names.life(pid)
                # who goes on may still read: it did so between the call and now
                end_ns = life.exit_ns if life is not None and life.exit_ns > at_ns else now_ns
                found.append(Disturbance("read", what, self.names.thread(pid, what, now_ns), at_ns, end_ns))
        self._waiting = waiting
        return found

    def _sees_our_proc(self, pid: int) -> bool:
        """Whether its /proc, or once it is gone its parent's, is the one with the marks. False when neither can be told."""
        life = self.names.life(pid)
        for asked in (pid, life.parent if life is not None else 0):
            if asked:
                try:
                    return _device(self.root / f"proc/{asked}/root/proc") == _device(self.root / "proc")
                except OSError:
                    continue
        return False


def _device(path: Path) -> int:
    """Of the filesystem that is there. Raises OSError."""
    return os.stat(path).st_dev
