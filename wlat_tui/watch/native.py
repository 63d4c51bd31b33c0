"""The native parts of the watcher in Python's terms: fanotify, and births, names and deaths of processes from perf rings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wlat_tui._native import ffi as _ffi
from wlat_tui._native import lib as _lib
from wlat_tui.kernel.hooks import Hook

ACCESS: int = _lib.WL_ACCESS
MODIFY: int = _lib.WL_MODIFY
CLOSED: int = _lib.WL_CLOSED
OPENED: int = _lib.WL_OPENED
OVERFLOW: int = _lib.WL_OVERFLOW
BY_DESCRIPTOR: int = _lib.WL_BY_DESCRIPTOR
BY_HANDLE: int = _lib.WL_BY_HANDLE
BY_CHILD: int = _lib.WL_BY_CHILD
_TOUCHED = 1024
_HITS = 8192
_PROGRAMS = 1024


def _check(result: int, attempt: str) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result), attempt)
    return result


@dataclass(frozen=True, slots=True)
class Touched:
    """What one process (0: not visible from here) did to a marked file, or to the child ``name`` of a marked directory."""

    mask: int
    pid: int
    name: str


class Touches:
    """A fanotify group. Opens nothing, holds nobody up."""

    def __init__(self, naming: int) -> None:
        """``naming``: `BY_HANDLE`, or `BY_DESCRIPTOR` if refused; `BY_CHILD` for directories (``enum wl_touch_naming``).

        Raises:
            OSError: EPERM without CAP_SYS_ADMIN, ENOSYS without fanotify, EINVAL for a naming that is too new.
        """
        self.fd: int = _check(_lib.wl_touch_open(naming), "fanotify")
        self._array = _ffi.new("struct wl_touched[]", _TOUCHED)

    def mark(self, path: str, mask: int, *, children: bool = False) -> None:
        """Raises OSError: there is no such file, or it may not be marked."""
        _check(_lib.wl_touch_mark(self.fd, os.fsencode(path), mask, int(children)), path)

    def read(self) -> list[Touched]:
        """What has happened since the last reading, in order. Raises OSError."""
        found: list[Touched] = []
        while True:
            count = _check(_lib.wl_touch_read(self.fd, self._array, _TOUCHED), "fanotify")
            for raw in self._array[0:count]:
                found.append(Touched(raw.mask, raw.pid, os.fsdecode(_ffi.string(raw.name))))
            # room for another buffer was left, so it ended because nothing more was there
            if count < _TOUCHED // 2:
                return found

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@dataclass(frozen=True, slots=True)
class Life:
    """A process as the kernel told of it; 0 and "" are what was not seen."""

    pid: int
    parent: int
    fork_ns: int
    exec_ns: int
    exit_ns: int
    comm: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A probe was hit by a thread."""

    at_ns: int
    pid: int
    tid: int
    tag: int


class Births:
    """Births, names and deaths of every process on these CPUs, and hits of probes. Ends, as everything of perf, with us."""

    def __init__(self, cpus: Sequence[int]) -> None:
        """Raises OSError: EACCES without CAP_PERFMON, ENOMEM when there is no room for the rings."""
        error = _ffi.new("int *")
        self._births: Any = _lib.wl_births_open(_ffi.new("uint32_t[]", list(cpus)), len(cpus), error)
        if self._births == _ffi.NULL:
            self._births = None
            _check(error[0], "perf events of all CPUs")
        self._hits = _ffi.new("struct wl_hit[]", _HITS)
        self._life = _ffi.new("struct wl_life *")

    def probe(
        self, kind: int, config: int, tag: int, *, name: str | None = None, filter: str | None = None, at_once: bool = False
    ) -> None:
        """Have *tag* counted on every CPU whenever this event happens.

        Args:
            kind, config: perf's event type and what of it.
            name: kernel function, for a kprobe.
            filter: expression over the event's fields; what does not fit is not recorded.
            at_once: a hit makes the descriptors readable at once.

        Raises:
            OSError: the kernel refuses it (ENOENT: no such function or event, EINVAL: a filter it does not understand).
        """
        function = _ffi.NULL if name is None else _ffi.new("char[]", name.encode())
        text = _ffi.NULL if filter is None else _ffi.new("char[]", filter.encode())
        done = _lib.wl_births_probe(self._births, kind, config, function, text, tag, int(at_once))
        _check(done, name or f"event {config}")

    def fds(self) -> list[int]:
        """Descriptors that become readable when a ring fills or an ``at_once`` probe was hit."""
        count = _lib.wl_births_fds(self._births, _ffi.NULL, 0)
        fds = _ffi.new("int32_t[]", count)
        _lib.wl_births_fds(self._births, fds, count)
        return list(fds)

    def drain(self) -> list[Hit]:
        """Take in what the rings hold; returns the hits, oldest first."""
        count = _lib.wl_births_drain(self._births, self._hits, _HITS)
        hits = [Hit(raw.at_ns, raw.pid, raw.tid, raw.tag) for raw in self._hits[0:count]]
        return sorted(hits, key=lambda hit: hit.at_ns)

    def find(self, pid: int) -> Life | None:
        """The newest life of this pid; None when none was seen, or 16384 newer pids have come since."""
        if not _lib.wl_births_find(self._births, pid, self._life):
            return None
        raw = self._life
        comm = _ffi.string(raw.comm).decode(errors="replace")
        return Life(raw.pid, raw.parent, raw.fork_ns, raw.exec_ns, raw.exit_ns, comm)

    @property
    def lost(self) -> int:
        """Records that no ring or list had room for, since the start."""
        return int(_lib.wl_births_lost(self._births))

    def close(self) -> None:
        if self._births is not None:
            _lib.wl_births_close(self._births)
            self._births = None


def open_tracefs() -> int:
    """A descriptor of tracefs's root: the mounted one, else one that is attached nowhere. Raises OSError."""
    return _check(_lib.wl_tracefs_open(), "tracefs")


def bpf_programs() -> list[Hook]:
    """Loaded BPF programs that trace something. Raises OSError: EPERM without CAP_SYS_ADMIN."""
    array = _ffi.new("struct wl_program[]", _PROGRAMS)
    count = _check(_lib.wl_programs(array, _PROGRAMS), "bpf")
    return [
        Hook("BPF", *(_ffi.string(text).decode(errors="replace") for text in (raw.name, raw.target))) for raw in array[0:count]
    ]


def only_look() -> None:
    """Give up every privilege but those of looking at others' processes; what is armed stays armed. Raises OSError."""
    _check(_lib.wl_only_look(), "giving up privileges")
