"""Who reads the kernel files whose printing holds an allocator lock, and who writes memory settings: by fanotify.

A mark opens nothing and costs only those who touch the file. It sits on this proc filesystem: a container with a proc of its
own is not seen (`probes` sees it, where kernel probes may be set). Events carry no time; what is known is that they happened
between two moments, which are close together because we wake at once.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from wlat_tui.evidence import Disturbance, Watch
from wlat_tui.watch.names import Names
from wlat_tui.watch.native import (
    ACCESS,
    BY_CHILD,
    BY_DESCRIPTOR,
    BY_HANDLE,
    CLOSED,
    MODIFY,
    OPENED,
    OVERFLOW,
    Touched,
    Touches,
)

READ_FILES = ("/proc/slabinfo", "/proc/zoneinfo", "/proc/buddyinfo", "/proc/pagetypeinfo", "/proc/timer_list")
OPENED_FILES = ("/proc/sys/vm/stat_refresh",)
"""Reading them returns nothing, so only their opening shows."""
WRITTEN_DIRECTORY = "/proc/sys/vm"
"""drop_caches and compact_memory may not be marked themselves (their mode lets nobody read); their directory names them."""
PRECISE_NS = 1_000_000
"""The time spent is told when it is known to within this."""
MOST_SESSIONS = 2000
OPENED_KEPT_NS = 1_000_000_000
WATCH_READS = "reads of slabinfo, zoneinfo, buddyinfo, pagetypeinfo"
WATCH_WRITES = "writes to memory settings"


@dataclass(slots=True)
class Session:
    """One process has one file open, as far as known."""

    begin_ns: int | None
    """None: nothing that counts since the last report."""
    sure: bool
    """``begin_ns`` is known to within `PRECISE_NS`."""
    opens: int = 0
    deeds: int = 0
    last_ns: int = 0


@dataclass(slots=True)
class Reads:
    """Marks, and what they tell, as `Disturbance`s. ``own`` says which pids are wlat itself."""

    names: Names
    own: Callable[[int], bool]
    groups: dict[int, tuple[str, Touches]] = field(default_factory=dict)
    """Descriptor -> file or directory, and its marks."""
    lost: int = 0
    """Times the kernel's queue of events ran over."""
    opened_ns: dict[tuple[str, int], int] = field(default_factory=dict)
    """File and pid -> when its opening was told, of the last moments."""
    _sessions: dict[tuple[str, int], Session] = field(default_factory=dict)
    _done: list[Disturbance] = field(default_factory=list)

    def arm(self, but: Collection[str] = ()) -> tuple[Watch, ...]:
        """Set the marks; says which kinds of doings can be seen now, and what would help where not.

        ``but``: files that are watched by other means already; both would tell everything twice.
        """
        watches = []
        refused = _privileged()
        for name, paths, mask, children in (
            (WATCH_READS, READ_FILES, OPENED | ACCESS | CLOSED, False),
            ("reads of stat_refresh", OPENED_FILES, OPENED | ACCESS | CLOSED, False),
            (WATCH_WRITES, (WRITTEN_DIRECTORY,), MODIFY, True),
        ):
            refusals = [why for path in paths if path not in but and (why := refused or self._mark(path, mask, children))]
            missing = len(refusals) == len(paths)
            fix = "wlat --sudo" if missing and os.geteuid() != 0 else ""
            watches.append(Watch(name, not missing, refusals[0] if missing else "", fix))
        return tuple(watches)

    def read(self, fd: int) -> list[Touched]:
        """What one group has to tell. Raises OSError."""
        return self.groups[fd][1].read()

    def take(self, fd: int, events: list[Touched], earliest_ns: int, now_ns: int) -> None:
        """Take in what a group has told; it happened between the two moments."""
        path, _ = self.groups[fd]
        for touched in events:
            if touched.mask & OVERFLOW:
                self.lost += 1
            elif touched.name:
                self._write(f"{path}/{touched.name}", touched, earliest_ns, now_ns)
            else:
                self._touch(path, touched, earliest_ns, now_ns)

    def flush(self, now_ns: int) -> list[Disturbance]:
        """What is known to have been done since the last call; readings that go on are told so far."""
        for (path, pid), session in list(self._sessions.items()):
            life = self.names.life(pid)
            gone = life is not None and life.exit_ns > session.last_ns
            if session.begin_ns is not None and session.deeds:
                self._finish(path, pid, session, now_ns if not gone or life is None else life.exit_ns, measured=False)
                session.begin_ns, session.sure, session.opens, session.deeds = None, False, 0, 0
            if gone:
                del self._sessions[path, pid]
        while len(self._sessions) > MOST_SESSIONS:  # of processes whose end we may not hear of
            del self._sessions[next(iter(self._sessions))]
        self.opened_ns = {key: at_ns for key, at_ns in self.opened_ns.items() if now_ns - at_ns < OPENED_KEPT_NS}
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        for _, marks in self.groups.values():
            marks.close()
        self.groups.clear()

    def _mark(self, path: str, mask: int, children: bool) -> str | None:
        """Why it cannot be watched, in one sentence; None when it is."""
        why = None
        for naming in (BY_CHILD,) if children else (BY_HANDLE, BY_DESCRIPTOR):
            marks = None
            try:
                marks = Touches(naming)
                marks.mark(path, mask, children=children)
            except OSError as error:
                why = _refusal(error, path)
                if marks is not None:
                    marks.close()
            else:
                self.groups[marks.fd] = path, marks
                return None
        return why

    def _touch(self, path: str, touched: Touched, earliest_ns: int, now_ns: int) -> None:
        pid, key = touched.pid, (path, touched.pid)
        life = self.names.life(pid)
        if life is not None:  # it cannot have read before it was what it is
            earliest_ns = max(earliest_ns, min(now_ns, life.exec_ns or life.fork_ns))
        if not self.own(pid):
            self.names.thread(pid, path, now_ns)  # now, it may be gone soon
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = Session(None, False)
        if session.begin_ns is None:
            session.begin_ns, session.sure = earliest_ns, now_ns - earliest_ns <= PRECISE_NS
        if touched.mask & OPENED:
            session.opens += 1
            self.opened_ns[key] = now_ns
        session.deeds += bool(touched.mask & (OPENED if path in OPENED_FILES else ACCESS))
        session.last_ns = now_ns
        if touched.mask & CLOSED:
            end_ns = now_ns if life is None or not earliest_ns < life.exit_ns < now_ns else life.exit_ns
            if session.deeds:
                begin_ns = session.begin_ns
                sure = end_ns - begin_ns <= PRECISE_NS or (session.sure and end_ns - earliest_ns <= PRECISE_NS)
                self._finish(path, pid, session, end_ns, measured=sure)
            del self._sessions[key]

    def _finish(self, path: str, pid: int, session: Session, end_ns: int, *, measured: bool) -> None:
        assert session.begin_ns is not None
        end_ns = max(end_ns, session.begin_ns)
        spent_ns = end_ns - session.begin_ns if measured else None
        by = self.names.thread(pid, path, session.last_ns)
        kind, count = "read", max(1, session.opens)
        self._done.append(Disturbance(kind, path, by, session.begin_ns, end_ns, count, spent_ns, self.own(pid)))

    def _write(self, path: str, touched: Touched, earliest_ns: int, now_ns: int) -> None:
        by = self.names.thread(touched.pid, path, now_ns)
        self._done.append(Disturbance("write", path, by, earliest_ns, now_ns, own=self.own(touched.pid)))


def _privileged() -> str | None:
    """Why not (one sentence), or None. Since 5.13 anyone may mark what he may read, but is not told whose doing it was."""
    try:
        Touches(BY_DESCRIPTOR).close()
    except OSError as error:
        return _refusal(error, "fanotify")
    return None


def _refusal(error: OSError, path: str) -> str:
    match error.errno:
        case errno.ENOENT:
            return f"this kernel has no {path}"
        case errno.EPERM:
            return "watching files needs root (CAP_SYS_ADMIN)"
        case errno.ENOSYS:
            return "this kernel has no fanotify"
        case errno.EMFILE:
            return "all of root's fanotify groups are in use (fs.fanotify.max_user_groups)"
        case errno.EINVAL | errno.EOPNOTSUPP | errno.ENODEV:
            return f"this kernel cannot say what is touched in {path} (Linux 6.7 can)"
        case _:
            return f"{path} cannot be watched: {error.strerror}"
