"""Events of all CPUs, by perf: fsync on the target's filesystem, and kernel probes on the printing of slabinfo and zoneinfo.

Filesystem tracepoints cost only those who call them; tracepoints of system calls tax every call of every process, so they are
used on request only (`opens`). Kernel probes see readers in every container, with exact times. All of it ends with this
process.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from wlat_tui.evidence import Disturbance, Watch
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_line
from wlat_tui.watch.names import Names
from wlat_tui.watch.native import Births, Hit, open_tracefs
from wlat_tui.watch.opens import OPEN_CALLS, Opens, path_filter

TRACEPOINT = 2
"""PERF_TYPE_TRACEPOINT."""
KPROBE_DEVICE = "sys/bus/event_source/devices/kprobe"
WATCH_SYNCS = "fsync on the target's filesystem"
WATCH_PROBES = "reads in other containers"
MOST_OPEN = 2000

SYNC_EVENTS = {
    "ext4": ("ext4/ext4_sync_file_enter", "ext4/ext4_sync_file_exit"),
    "ext3": ("ext4/ext4_sync_file_enter", "ext4/ext4_sync_file_exit"),
    "ext2": ("ext4/ext4_sync_file_enter", "ext4/ext4_sync_file_exit"),
    "f2fs": ("f2fs/f2fs_sync_file_enter", "f2fs/f2fs_sync_file_exit"),
    "xfs": ("xfs/xfs_file_fsync", None),
}
"""Filesystem -> tracepoints at the begin and the end of fsync (None: there is none). All have a ``dev`` field."""
PRINTERS = {
    "/proc/slabinfo": ("slab_start", "slab_stop"),
    "/proc/zoneinfo": ("zoneinfo_show", None),
    "/proc/buddyinfo": ("frag_show", None),
    "/proc/pagetypeinfo": ("pagetypeinfo_show", None),
}
"""File -> functions that begin and end its printing; None: the first one's return. Source: mm/slab_common.c, mm/vmstat.c."""


@dataclass(frozen=True, slots=True)
class _Place:
    kind: str
    what: str
    ends: bool
    has_end: bool


class Probes:
    """What is probed, and hits paired into `Disturbance`s: each begin with the same thread's next end."""

    def __init__(self, births: Births, names: Names) -> None:
        self._births = births
        self._names = names
        self._places: list[_Place] = []
        self._open: dict[tuple[str, int], int] = {}
        self.opens = Opens(names)
        self.printers: set[str] = set()
        """Files whose printing is probed, from begin to end."""

    def arm_printers(self, root: Path = ROOT) -> Watch:
        """Probe the printing of kernel files. Does not matter to anyone who does not read them."""
        kind = read_line(root / KPROBE_DEVICE / "type")
        bit = read_line(root / KPROBE_DEVICE / "format/retprobe")
        if kind is None or bit is None:
            return Watch(WATCH_PROBES, False, "this kernel has no kernel probes (CONFIG_KPROBE_EVENTS)")
        returning = 1 << int(bit.rpartition(":")[2])
        refused = ""
        self.printers.clear()
        for what, (begin, end) in PRINTERS.items():
            try:
                self._probe(int(kind), 0, _Place("read", what, False, True), begin, at_once=True)
                self._probe(int(kind), 0 if end else returning, _Place("read", what, True, True), end or begin)
                self.printers.add(what)
            except OSError as error:
                refused = refused or f"{begin} cannot be probed: {error.strerror}"
        return Watch(WATCH_PROBES, bool(self.printers), refused)

    def arm_opens(self) -> Watch:
        """Notice opens of the same files by their path. Taxes every system call of everyone."""
        try:
            tracefs = open_tracefs()
        except OSError as error:
            return Watch(WATCH_PROBES, False, f"tracefs is not readable here: {error.strerror}")
        calls = 0
        try:
            for call in OPEN_CALLS:
                try:
                    number = _event_id(tracefs, call)
                except FileNotFoundError:
                    continue
                for what in PRINTERS:
                    place = _Place("open", what, False, False)
                    self._probe(TRACEPOINT, number, place, only=path_filter(what), at_once=True)
                calls += 1
        except OSError as error:
            older = error.errno == errno.EINVAL
            why = "this kernel cannot compare paths (Linux 5.17 can)" if older else f"opens cannot be traced: {error.strerror}"
            return Watch(WATCH_PROBES, False, why)
        finally:
            os.close(tracefs)
        why = "" if calls else "this kernel does not trace system calls (CONFIG_FTRACE_SYSCALLS)"
        return Watch(WATCH_PROBES, calls > 0, why)

    def arm_syncs(self, filesystem: str, device: str) -> Watch:
        """Notice fsync on one filesystem. ``device``: its major:minor as in mountinfo."""
        events = SYNC_EVENTS.get(filesystem)
        if events is None:
            return Watch(WATCH_SYNCS, False, f"{filesystem} has no tracepoint for it that wlat knows")
        try:
            tracefs = open_tracefs()
        except OSError as error:
            return Watch(WATCH_SYNCS, False, f"tracefs is not readable here: {error.strerror}")
        # the kernel's own dev_t: 20 bits of minor (include/linux/kdev_t.h)
        major, minor = map(int, device.split(":"))
        only = f"dev == {major << 20 | minor}"
        try:
            for event, ends in zip(events, (False, True), strict=True):
                if event is not None:
                    place = _Place("fsync", filesystem, ends, events[1] is not None)
                    self._probe(TRACEPOINT, _event_id(tracefs, event), place, only=only)
        except FileNotFoundError as error:
            return Watch(WATCH_SYNCS, False, f"this kernel has no tracepoint {error.filename}")
        except OSError as error:
            why = "no right to kernel tracepoints" if error.errno in (errno.EACCES, errno.EPERM) else f"{error.strerror}"
            return Watch(WATCH_SYNCS, False, f"fsync cannot be traced: {why}")
        finally:
            os.close(tracefs)
        return Watch(WATCH_SYNCS, True)

    def take(self, hits: list[Hit], now_ns: int, mount_point: str) -> list[Disturbance]:
        """Hits in order of time; what has begun and not ended is told when it ends."""
        found = []
        for hit in hits:
            place = self._places[hit.tag]
            if place.kind == "open":
                self.opens.take(hit.at_ns, hit.pid, place.what, now_ns)
                continue
            if not place.ends:
                self._names.thread(hit.pid, place.what, now_ns)  # now, it may be gone soon
                if place.has_end:
                    self._open[place.what, hit.tid] = hit.at_ns
                    continue
            begin_ns = self._open.pop((place.what, hit.tid), None) if place.ends else hit.at_ns
            if begin_ns is None:
                continue  # begun before we looked
            by = self._names.thread(hit.pid, place.what, now_ns)
            what = mount_point if place.kind == "fsync" else place.what
            spent_ns = hit.at_ns - begin_ns if place.has_end else None
            found.append(Disturbance(place.kind, what, by, begin_ns, hit.at_ns, 1, spent_ns))
        while len(self._open) > MOST_OPEN:  # whose end was lost
            del self._open[next(iter(self._open))]
        return found

    def _probe(
        self, kind: int, config: int, place: _Place, name: str | None = None, *, only: str | None = None, at_once: bool = False
    ) -> None:
        tag = len(self._places)
        self._births.probe(kind, config, tag, name=name, filter=only, at_once=at_once)
        self._places.append(place)


def _event_id(tracefs: int, event: str) -> int:
    """Raises OSError."""
    with os.fdopen(os.open(f"events/{event}/id", os.O_RDONLY | os.O_CLOEXEC, dir_fd=tracefs)) as file:
        return int(file.read())
