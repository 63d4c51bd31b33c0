"""Who dirties pages, which kernel threads are at work: counters of /proc/PID, read once a second with a bound on the cost."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wlat_tui.evidence import Disturbance, Thread, Watch
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_line, read_text
from wlat_tui.kernel.hooks import read_kprobes
from wlat_tui.kernel.mountinfo import parse_mountinfo
from wlat_tui.kernel.process import read_stat
from wlat_tui.watch.names import Names
from wlat_tui.watch.native import bpf_programs

PROCESSES_PER_ROUND = 150
"""Looked at in one round, about 8 us each; the busiest of the last rounds are in every one."""
BUSIEST = 8
NOTABLE_BYTES = 1 << 20
"""Dirtied since the last look."""
NOTABLE_NS = 200_000
"""Run since the last look: kcompactd alone wakes twice a second to find nothing to do."""
FDS_LOOKED_AT = 64
WATCH_DIRTIERS = "who dirties pages on the target's filesystem"
WATCH_HOOKS = "probes and BPF programs on the write path"
WATCH_THREADS = "kswapd, kcompactd and the journal at work"
_KERNEL_THREADS = re.compile(r"(kswapd|kcompactd)\d+|khugepaged|(jbd2|xfsaild)/(?P<device>.+)")


@dataclass(slots=True)
class _Writer:
    bytes: int
    at_ns: int
    started: str


class Dirtiers:
    """Bytes each process has dirtied, from /proc/PID/io (since 2.6.20), a slice of all processes per round."""

    def __init__(self, names: Names, own: Callable[[int], bool], root: Path = ROOT) -> None:
        self._names = names
        self._own = own
        self._root = root
        self._proc = str(root / "proc")
        self._seen: dict[int, _Writer] = {}
        self._queue: list[int] = []
        self._kernel: set[int] = set()
        """Threads of the kernel: they have no files, and are most of the processes of an idle host."""
        self._busiest: list[int] = []

    def arm(self) -> Watch:
        if not (self._root / "proc/self/io").exists():
            return Watch(WATCH_DIRTIERS, False, "this kernel does not count it (CONFIG_TASK_IO_ACCOUNTING)")
        if os.geteuid() != 0:
            return Watch(WATCH_DIRTIERS, False, "only this user's own processes may be looked at", "wlat --sudo")
        return Watch(WATCH_DIRTIERS, True)

    def look(self, now_ns: int, device: str, mount_point: str) -> list[Disturbance]:
        """Processes that dirtied more than `NOTABLE_BYTES` since the last look and have a file there open to write.

        ``device``: major:minor as in mountinfo.
        """
        if not self._queue:
            self._queue = sorted((int(n) for n in os.listdir(self._root / "proc") if n.isdecimal()), reverse=True)
            alive = set(self._queue)
            self._seen = {pid: seen for pid, seen in self._seen.items() if pid in alive}
            # a number that is given again belongs to somebody whose birth was seen
            self._kernel = {pid for pid in self._kernel if pid in alive and self._names.life(pid) is None}
            self._queue = [pid for pid in self._queue if pid not in self._kernel]
        slice_ = [self._queue.pop() for _ in range(min(len(self._queue), PROCESSES_PER_ROUND))]
        found: list[tuple[int, int, int]] = []
        for pid in dict.fromkeys(self._busiest + slice_):
            if (counted := self._count(pid, now_ns)) is not None:
                found.append(counted)
        found.sort(reverse=True)
        self._busiest = [pid for _, pid, _ in found[:BUSIEST]]
        return [
            Disturbance("dirtied", mount_point, self._names.thread(pid, mount_point, now_ns), since_ns, now_ns, count)
            for count, pid, since_ns in found[:BUSIEST]
            if not self._own(pid) and self._writes_to(pid, device)
        ]

    def _count(self, pid: int, now_ns: int) -> tuple[int, int, int] | None:
        """(bytes, pid, since when), when they are notable."""
        try:
            text = read_text(f"{self._proc}/{pid}/io") or ""
        except PermissionError:
            return None  # another user's; `arm` has said so
        written = re.search(r"^write_bytes: (\d+)", text, re.MULTILINE)
        if written is None:
            return None
        count = int(written[1])
        before = self._seen.get(pid)
        if before is None and (stat := read_stat(pid, self._root)) is not None and stat.kernel_thread:
            self._kernel.add(pid)
            return None
        if before is not None and count == before.bytes:
            before.at_ns = now_ns
            return None
        life = self._names.life(pid)
        started = f"{life.fork_ns}" if life is not None else ""
        if before is None or before.started != started or count < before.bytes:
            before = _Writer(0, life.fork_ns, started) if life is not None and life.fork_ns else None
        self._seen[pid] = _Writer(count, now_ns, started)
        if before is None or count - before.bytes < NOTABLE_BYTES:
            return None
        return count - before.bytes, pid, before.at_ns

    def _writes_to(self, pid: int, device: str) -> bool:
        """Whether it has a file of this filesystem open to write. Asks only proc: a stat could hang on somebody's dead NFS."""
        here = self._root / f"proc/{pid}"
        try:
            mounts = {m.mount_id for m in parse_mountinfo(read_text(here / "mountinfo") or "") if m.device_number == device}
            for name in os.listdir(here / "fdinfo")[:FDS_LOOKED_AT]:
                rows = dict(re.findall(r"^(\w+):\s*(\d+)$", read_text(here / "fdinfo" / name) or "", re.MULTILINE))
                if int(rows.get("mnt_id", "-1")) in mounts and int(rows.get("flags", "0"), 8) & os.O_ACCMODE:
                    return True
        except OSError:
            return False  # it ended, or closed what was being looked at
        return False


class KernelThreads:
    """CPU time of reclaim, compaction and journal threads, from /proc/PID/schedstat (ns; since 2.6.9)."""

    def __init__(self, names: Names, root: Path = ROOT) -> None:
        self._names = names
        self._root = root
        self._threads: dict[int, tuple[str, int, int]] = {}

    def arm(self, devices: tuple[str, ...]) -> Watch:
        """Find them: a walk over all processes, once. ``devices``: kernel names of the target's disk, such as vda1, dm-0."""
        self._threads.clear()
        if read_line(self._root / "proc/2/comm") != "kthreadd":
            return Watch(WATCH_THREADS, False, "kernel threads are not visible in this container")
        for pid in sorted(int(name) for name in os.listdir(self._root / "proc") if name.isdecimal()):
            match = _KERNEL_THREADS.fullmatch(read_line(self._root / f"proc/{pid}/comm") or "")
            # 15 characters are kept of a name; a journal's ends with the number of its inode, 8
            if match and (match["device"] is None or any(f"{name}-8".startswith(match["device"]) for name in devices)):
                self._threads[pid] = match[0], -1, 0
        return Watch(WATCH_THREADS, bool(self._threads), "" if self._threads else "none of them was found")

    def look(self, now_ns: int) -> list[Disturbance]:
        """Those that ran since the last look."""
        found = []
        for pid, (name, before_ns, since_ns) in list(self._threads.items()):
            fields = (read_line(self._root / f"proc/{pid}/schedstat") or "").split()
            if len(fields) != 3:
                del self._threads[pid]  # its node went offline
                continue
            ran_ns = int(fields[0])
            if before_ns >= 0 and ran_ns - before_ns >= NOTABLE_NS:
                by = self._names.thread(pid, name, now_ns)
                found.append(Disturbance("cpu", name, by, since_ns, now_ns, 1, ran_ns - before_ns))
            self._threads[pid] = name, ran_ns, now_ns
        return found


def look_for_hooks(now_ns: int, root: Path = ROOT) -> tuple[Watch, list[Disturbance]]:
    """Probes and BPF programs of others that writes pass, as they are now: later it takes privileges that are given up."""
    try:
        hooks = [*bpf_programs(), *(read_kprobes(root) or ())]
    except OSError as error:
        fix = "" if os.geteuid() == 0 else "wlat --sudo"
        return Watch(WATCH_HOOKS, False, f"loaded programs may not be listed: {error.strerror}", fix), []
    found = {}
    for hook in hooks:
        if hook.on_write_path:
            by = Thread(0, hook.name or hook.kind, f"{hook.kind} {hook.name}".strip())
            found[hook] = Disturbance("hook", hook.target, by, now_ns, now_ns)
    return Watch(WATCH_HOOKS, True), list(found.values())
