"""The watcher: who disturbs the allocator and the target's filesystem. ``python -I -m wlat_tui.watcher``, as root if possible.

A process of its own, because the screen is never privileged, the engine gives its privileges up, and the keeper, which may
change the host, is to stay small. This one only looks, and keeps no privilege for more; what it sets up ends with it.
It takes no argument; one JSON object a line arrives on stdin (the whole wish, again when it changes) and leaves on stdout.

    in   {"device": "254:0", "filesystem": "ext4", "mount_point": "/", "own": [4711], "avoid_cpus": [3], "opens": false}
    out  {"watches": [...]} once, then {"disturbances": [...], "lost": 0} as it comes, at most ten times a second
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from wlat_tui.aside import step_aside
from wlat_tui.evidence import Disturbance, Watch
from wlat_tui.kernel.cpus import read_online_cpus
from wlat_tui.watch.names import Names
from wlat_tui.watch.native import Births, only_look
from wlat_tui.watch.neighbours import Dirtiers, KernelThreads, look_for_hooks
from wlat_tui.watch.probes import WATCH_PROBES, WATCH_SYNCS, Probes
from wlat_tui.watch.reads import Reads

FLUSH_NS = 100_000_000
SECOND_NS = 1_000_000_000
PAUSE_NS = 500_000
BUSY_PAUSE_NS = 2_000_000
BUSY_WAKES = 20
"""Woken more often than this in one flush, we wait longer: who reads flat out must not make us busy too."""
WAKE_NS = 100_000
"""How long waking takes besides waiting for a CPU."""
LONGEST_LINE_BYTES = 1 << 16
MOST_ALIKE = 8
"""More doings of one kind by the same one, in one flush, are told as one."""
JOIN_NS = 5_000_000
"""One reading of a file takes several read() calls; with smaller gaps they are told as one."""
NAMES = "names of short-lived processes"


@dataclass(frozen=True, slots=True)
class Wish:
    """What to watch."""

    device: str
    """major:minor of the target's filesystem, as in mountinfo."""
    filesystem: str
    mount_point: str
    own: frozenset[int]
    """Pids that are wlat itself."""
    avoid_cpus: frozenset[int]
    """Where the writer runs."""
    opens: bool = False
    """Trace the opens of everyone, where nothing cheaper sees readers in containers. Decided once, at the start."""


def parse_wish(line: bytes) -> Wish:
    """Raises ValueError with one sentence."""
    try:
        found = json.loads(line)
        device, filesystem, mount_point = found["device"], found["filesystem"], found["mount_point"]
        own, avoid, opens = found["own"], found["avoid_cpus"], found["opens"]
        numbers = [*own, *avoid]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"what to watch was not understood ({type(error).__name__})") from error
    if not all(isinstance(text, str) and len(text) < 4096 for text in (device, filesystem, mount_point)):
        raise ValueError("what to watch was not understood (a text is expected)")
    if type(opens) is not bool:
        raise ValueError("what to watch was not understood (true or false is expected)")
    if not re.fullmatch(r"\d{1,4}:\d{1,7}", device) or not all(type(n) is int and 0 <= n < 1 << 22 for n in numbers):
        raise ValueError("what to watch was not understood (a number is out of range)")
    return Wish(device, filesystem, mount_point, frozenset(own), frozenset(avoid), opens)


def join(disturbances: Iterable[Disturbance]) -> list[Disturbance]:
    """Read() calls of one reading put together: same process and file, gaps under `JOIN_NS`. In order of time."""
    found: list[Disturbance] = []
    last: dict[tuple[str, str, int], int] = {}
    for d in sorted(disturbances, key=lambda d: d.begin_ns):
        key = d.kind, d.what, d.by.pid
        at = last.get(key)
        if at is not None and d.begin_ns - found[at].end_ns < JOIN_NS:
            spent_ns = (found[at].spent_ns or 0) + (d.spent_ns or 0)
            found[at] = replace(found[at], end_ns=max(found[at].end_ns, d.end_ns), spent_ns=spent_ns)
        else:
            last[key] = len(found)
            found.append(d)
    return found


def thin(disturbances: Iterable[Disturbance]) -> list[Disturbance]:
    """The same, but of more than `MOST_ALIKE` doings by the same program only their sum. In order of time."""
    groups: dict[tuple[object, ...], list[Disturbance]] = {}
    for d in disturbances:
        groups.setdefault((d.kind, d.what, d.own, d.by.comm, d.by.parent, d.by.container), []).append(d)
    found: list[Disturbance] = []
    for alike in groups.values():
        found += alike if len(alike) <= MOST_ALIKE else [_sum(alike)]
    return sorted(found, key=lambda d: d.begin_ns)


def _sum(alike: list[Disturbance]) -> Disturbance:
    spent = [d.spent_ns for d in alike if d.spent_ns is not None]
    return replace(
        next((d for d in reversed(alike) if d.by.command), alike[-1]),
        begin_ns=min(d.begin_ns for d in alike),
        end_ns=max(d.end_ns for d in alike),
        count=sum(d.count for d in alike),
        spent_ns=sum(spent) if len(spent) == len(alike) else None,
    )


class Watcher:
    """Arms what can be armed here, and tells what it sees until its input ends."""

    def __init__(self, wish: Wish, fd_in: int, fd_out: int) -> None:
        self._wish = wish
        self._in = fd_in
        self._out = fd_out
        self._unread = b""
        self._allowed = os.sched_getaffinity(0)
        self._births: Births | None = None
        births_refused = self._open_births()
        self._names = Names(self._births)
        self._reads = Reads(self._names, self._is_own)
        self._probes = Probes(self._births, self._names) if self._births else None
        self._dirtiers = Dirtiers(self._names, self._is_own)
        self._threads = KernelThreads(self._names)
        self._pending: list[Disturbance] = []
        self._calls: list[Disturbance] = []
        self._told_lost = 0
        self._delay = _RunDelay()
        self.watches = self._arm(births_refused)
        self._poll = select.poll()
        for fd in (fd_in, *self._reads.groups, *(self._births.fds() if self._births else ())):
            self._poll.register(fd, select.POLLIN)
        self._place()

    def run(self) -> None:
        """Until the input ends or nobody reads any more. Everything is armed: privileges for more are given up first."""
        only_look()
        self._send({"watches": [asdict(watch) for watch in self.watches]})
        flush_ns = second_ns = drained_ns = time.monotonic_ns()
        wakes = 0
        while True:
            wait_ns = max(0, flush_ns + FLUSH_NS - time.monotonic_ns())
            ready = {fd for fd, _ in self._poll.poll(wait_ns / 1e6)}
            if self._in in ready and not self._hear():
                return
            wakes += bool(ready)
            pause_ns = drained_ns + (PAUSE_NS if wakes < BUSY_WAKES else BUSY_PAUSE_NS) - time.monotonic_ns()
            if ready and pause_ns > 0:
                time.sleep(pause_ns / 1e9)
            drained_ns = self._drain(drained_ns, woken=bool(ready))
            if drained_ns - second_ns >= SECOND_NS:
                second_ns = drained_ns
                self._pending += self._threads.look(drained_ns)
                self._pending += self._dirtiers.look(drained_ns, self._wish.device, self._wish.mount_point)
            if drained_ns - flush_ns >= FLUSH_NS:
                flush_ns, wakes = drained_ns, 0
                self._flush(drained_ns)

    def close(self) -> None:
        self._reads.close()
        self._delay.close()
        if self._births:
            self._births.close()

    def _is_own(self, pid: int) -> bool:
        return pid in self._wish.own or pid == os.getpid()

    def _open_births(self) -> str:
        """Why there are no records of births; "" when there are."""
        try:
            self._births = Births(read_online_cpus() or range(os.cpu_count() or 1))
        except OSError as error:
            if os.geteuid() != 0:
                return "perf events of all CPUs need root (CAP_PERFMON)"
            return f"perf events of all CPUs are refused: {error.strerror}"
        return ""

    def _arm(self, births_refused: str) -> tuple[Watch, ...]:
        fix = "wlat --sudo" if os.geteuid() != 0 else ""
        # before our own probes are among them
        hooks, found = look_for_hooks(time.monotonic_ns())
        self._pending += found
        others = [Watch(NAMES, not births_refused, births_refused, fix if births_refused else "")]
        if self._probes is not None:
            others += self._arm_containers(self._probes), self._probes.arm_syncs(self._wish.filesystem, self._wish.device)
        else:
            others += (Watch(name, False, births_refused, fix) for name in (WATCH_PROBES, WATCH_SYNCS))
        watches = [*self._reads.arm(self._probes.printers if self._probes else ()), *others]
        disk = os.path.basename(os.path.realpath(f"/sys/dev/block/{self._wish.device}"))
        return (*watches, self._dirtiers.arm(), self._threads.arm((disk,)), hooks)

    def _arm_containers(self, probes: Probes) -> Watch:
        watch = probes.arm_printers()
        if watch.armed:
            return watch
        if self._wish.opens:
            return probes.arm_opens()
        return replace(watch, why=f"{watch.why}; --watch-opens (o in w) traces every open instead, at a cost")

    def _place(self) -> None:
        """Keep off the writer's CPUs, where there are others."""
        others = self._allowed - self._wish.avoid_cpus
        os.sched_setaffinity(0, others or self._allowed)

    def _hear(self) -> bool:
        """Take a new wish; False: the input has ended."""
        data = os.read(self._in, LONGEST_LINE_BYTES)
        *lines, self._unread = (self._unread + data).split(b"\n")
        if lines:
            self._wish = parse_wish(lines[-1])
            self._place()
        return bool(data) and len(self._unread) <= LONGEST_LINE_BYTES

    def _drain(self, before_ns: int, *, woken: bool) -> int:
        """Take in everything that has happened; it happened after ``before_ns``. Returns the moment up to which.

        ``woken``: the marks may have something to tell; births and probes do not wake us.
        """
        waited_ns = self._delay.since_last()
        earliest_ns = max(before_ns, time.monotonic_ns() - waited_ns - WAKE_NS - BUSY_PAUSE_NS)
        touched = [(fd, self._reads.read(fd)) for fd in self._reads.groups] if woken else []
        # after the marks: whoever touched a file was born and named before that
        hits = self._births.drain() if self._births else []
        now_ns = time.monotonic_ns()
        for fd, found in touched:
            self._reads.take(fd, found, earliest_ns, now_ns)
        if hits and self._probes is not None:
            calls = self._probes.take(hits, now_ns, self._wish.mount_point)
            self._calls += (replace(d, own=self._is_own(d.by.pid)) for d in calls)
        return now_ns

    def _flush(self, now_ns: int) -> None:
        found = [*self._pending, *self._reads.flush(now_ns), *join(self._calls)]
        if self._probes is not None:
            opened = self._probes.opens.settle(self._reads.opened_ns, now_ns)
            found += (replace(d, own=self._is_own(d.by.pid)) for d in opened)
        self._pending.clear()
        self._calls.clear()
        lost = self._reads.lost + (self._births.lost if self._births else 0)
        if found or lost > self._told_lost:
            told = thin(replace(d, by=self._names.settled(d.by)) for d in found)
            self._send({"disturbances": [asdict(d) for d in told], "lost": lost - self._told_lost})
            self._told_lost = lost

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self._out, data) :]


class _RunDelay:
    """How long this thread waited for a CPU. Source: /proc/thread-self/schedstat (CONFIG_SCHED_INFO)."""

    def __init__(self) -> None:
        try:
            self._fd = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = -1
        self._before_ns = 0

    def since_last(self) -> int:
        """Nanoseconds; a second where the kernel does not tell."""
        if self._fd < 0:
            return SECOND_NS
        delay_ns = int(os.pread(self._fd, 128, 0).split()[1])
        waited_ns, self._before_ns = delay_ns - self._before_ns, delay_ns
        return waited_ns

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def survey(wish: Wish) -> tuple[Watch, ...]:
    """What could be watched here now; nothing stays armed."""
    fd_in, fd_out = os.pipe()
    try:
        watcher = Watcher(wish, fd_in, fd_out)
        watcher.close()
    finally:
        os.close(fd_in)
        os.close(fd_out)
    return watcher.watches


def _first_line() -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < LONGEST_LINE_BYTES:
        data = os.read(0, 1)
        if not data:
            break
        line += data
    return line


def main() -> int:
    """Entry point. Takes no argument, so that a sudoers line for it allows nothing else."""
    for name in ("HUP", "INT", "QUIT", "TSTP", "USR1", "USR2"):  # what a terminal or a mistyped kill may send
        signal.signal(signal.Signals[f"SIG{name}"], signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.umask(0o077)
    os.chdir("/")
    step_aside()
    if not (line := _first_line()):
        return 0
    try:
        watcher = Watcher(parse_wish(line), 0, 1)
    except (OSError, ValueError) as error:
        print(f"the watcher ended: {error}", file=sys.stderr)
        return 2
    try:
        watcher.run()
    except BrokenPipeError:
        return 0  # the screen is gone
    except (OSError, ValueError) as error:
        print(f"the watcher ended: {error}", file=sys.stderr)
        return 1
    finally:
        watcher.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
