"""What a pid is called, asked in time or told by the kernel's own records of births, also when the process is gone already.

A reader such as ``cat`` lives for a millisecond. Its name and parent come from perf's fork and exec records; the command line
from /proc while it lives, or from a sibling: the same parent running the same program on the same file.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wlat_tui.evidence import Thread
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.cgroup import container_of
from wlat_tui.kernel.files import read_line, read_text
from wlat_tui.kernel.process import parse_stat
from wlat_tui.watch.native import Births, Life

KEPT = 1024
FRESH_NS = 1_000_000_000
"""How long a command line stands for siblings, and a parent's before it is read again (a shell may exec)."""
SHORT_LIFE_NS = 1_000_000_000
"""A parent that lived no longer than this was itself only a step of whoever started it."""
CLIMB = 5
LONGEST_COMMAND = 300


@dataclass(frozen=True, slots=True)
class _Command:
    text: str
    container: str | None
    at_ns: int


class Names:
    """Looks processes up, caching what stays true. Bounded."""

    def __init__(self, births: Births | None, root: Path = ROOT) -> None:
        self._births = births
        self._root = root
        self._known: OrderedDict[int, tuple[tuple[int, int], Thread]] = OrderedDict()
        self._siblings: OrderedDict[tuple[int, str, str], _Command] = OrderedDict()
        self._parents: OrderedDict[int, tuple[tuple[int, int], _Command]] = OrderedDict()

    def life(self, pid: int) -> Life | None:
        """What the kernel's records say about this pid; None: nothing, it is older than we are, or they may not be had."""
        return None if self._births is None else self._births.find(pid)

    def thread(self, pid: int, what: str, now_ns: int) -> Thread:
        """Who this is. Called as soon as something is heard of it: what is not known then may never be.

        Args:
            pid: 0 when it belongs to a pid namespace that cannot be seen from here.
            what: what it did, so that siblings are recognised.
        """
        if pid == 0:
            return Thread(0, "", "", "a container that wlat cannot see into")
        life = self.life(pid)
        identity = self._identity(pid, life)
        known = self._known.get(pid)
        if known is not None and known[0] == identity:
            return known[1]
        found = self._look(pid, life, what, now_ns)
        _keep(self._known, pid, (identity, found))
        return found

    def settled(self, thread: Thread) -> Thread:
        """The same thread with the ancestor that is to blame: parents that came and went for this one deed are passed over."""
        pid, command = thread.parent_pid, thread.parent
        for _ in range(CLIMB):
            life = self.life(pid) if pid is not None else None
            if life is None or not life.fork_ns or not life.exit_ns or life.exit_ns - life.fork_ns > SHORT_LIFE_NS:
                break
            if life.parent <= 1:
                break
            pid = life.parent
            command = self._parent(pid, life.exit_ns).text
        return thread if pid == thread.parent_pid else replace(thread, parent_pid=pid, parent=command)

    def _identity(self, pid: int, life: Life | None) -> tuple[int, int]:
        """Differs between two processes with the same pid, and before and after exec."""
        if life is not None and (life.fork_ns or life.exec_ns):
            return life.fork_ns, life.exec_ns
        if self._births is not None:
            return 0, 0  # older than our records; another one with this pid would be in them
        return self._started(pid), 0

    def _started(self, pid: int) -> int:
        text = self._read(pid, "stat")
        fields = text.rpartition(")")[2].split()
        return int(fields[19]) if len(fields) > 19 else -1

    def _look(self, pid: int, life: Life | None, what: str, now_ns: int) -> Thread:
        comm, parent_pid = (life.comm, life.parent or None) if life is not None else ("", None)
        sibling = self._siblings.get((parent_pid or 0, comm, what)) if comm else None
        if sibling is None or now_ns - sibling.at_ns > FRESH_NS:  # a stale one is better than none
            stat = self._read(pid, "stat") if life is None or not life.exit_ns else ""
            if stat:
                process = parse_stat(stat)
                comm, parent_pid = comm or process.name, parent_pid or process.parent
                # the same name: still the one that was meant, after its exec
                if process.name == comm:
                    sibling = self._command(pid, now_ns)
                    _keep(self._siblings, (parent_pid, comm, what), sibling)
        parent = self._parent(parent_pid, now_ns) if parent_pid else _Command("", None, now_ns)
        if sibling is None:
            sibling = _Command("", parent.container, now_ns)
        return Thread(pid, comm, sibling.text, sibling.container, parent_pid, parent.text)

    def _parent(self, pid: int, now_ns: int) -> _Command:
        life = self.life(pid)
        identity = (life.fork_ns, life.exec_ns) if life is not None else (0, 0)
        known = self._parents.get(pid)
        if known is not None and known[0] == identity and 0 <= now_ns - known[1].at_ns <= FRESH_NS:
            return known[1]
        found = self._command(pid, now_ns)
        if not found.text:
            older = known[1].text if known is not None and known[0] == identity else ""
            comm = life.comm if life is not None and life.comm else read_line(self._root / f"proc/{pid}/comm") or ""
            found = _Command(older or comm, found.container, now_ns)
        _keep(self._parents, pid, (identity, found))
        return found

    def _command(self, pid: int, now_ns: int) -> _Command:
        words = self._read(pid, "cmdline").rstrip("\0").replace("\0", " ").replace("\n", " ")
        text = words if len(words) <= LONGEST_COMMAND else words[: LONGEST_COMMAND - 1] + "…"
        return _Command(text, container_of(self._read(pid, "cgroup")), now_ns)

    def _read(self, pid: int, name: str) -> str:
        """ "" when it is gone, or hidden from us (hidepid)."""
        try:
            return read_text(self._root / f"proc/{pid}/{name}") or ""
        except PermissionError:
            return ""


def _keep(cache: OrderedDict[Any, Any], key: Any, value: Any) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > KEPT:
        cache.popitem(last=False)
