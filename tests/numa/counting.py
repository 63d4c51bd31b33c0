"""Kernel events of one thread, counted exactly by perf: the ones a recording does not hold.

Source: perf_event_open(2), type PERF_TYPE_TRACEPOINT; ids from tracefs. Works under emulation, as no hardware is asked.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests.numa.pages import Placement
from wlat_tui.frame import Frame
from wlat_tui.sources import Outcome, Request, Source

TRACING = Path("/sys/kernel/tracing/events")
EVENTS = (
    "syscalls/sys_enter_write",
    "kmem/mm_page_alloc",
    "vmscan/mm_vmscan_node_reclaim_begin",
)
PERF_TYPE_TRACEPOINT = 2
SYS_PERF_EVENT_OPEN = 298
ATTRIBUTE_BYTES = 128
FLAG_CLOEXEC = 8


class ThreadCounters:
    """Counts `EVENTS` of one thread from now on."""

    def __init__(self, tid: int) -> None:
        self.tid = tid
        self._fds = {event: _open(event, tid) for event in EVENTS}

    def read(self) -> Mapping[str, int]:
        """Event -> how often."""
        return {event: struct.unpack("Q", os.read(fd, 8))[0] for event, fd in self._fds.items()}

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)


def _open(event: str, tid: int) -> int:
    number = int((TRACING / event / "id").read_text())
    attribute = struct.pack("IIQ", PERF_TYPE_TRACEPOINT, ATTRIBUTE_BYTES, number).ljust(ATTRIBUTE_BYTES, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_PERF_EVENT_OPEN, attribute, tid, -1, -1, FLAG_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), f"{event} of thread {tid} cannot be counted: {os.strerror(ctypes.get_errno())}")
    return int(fd)


class CountedSource:
    """A source beside which the kernel is asked about the writer: its thread's events, and where the pages it wrote lie."""

    def __init__(self, source: Source) -> None:
        self.samples: list[tuple[int, Mapping[str, int]]] = []
        """(end of frame, what was counted when it came): events; and "on node N": pages of its file that were found there."""
        self._placement: Placement | None = None
        self._source = source
        self._counters: ThreadCounters | None = None

    @property
    def description(self) -> str:
        return self._source.description

    @property
    def read_only(self) -> str | None:
        return self._source.read_only

    @property
    def farewell(self) -> str | None:
        return self._source.farewell

    async def frames(self) -> AsyncIterator[Frame]:
        async for frame in self._source.frames():
            if frame.writer is not None:
                if self._counters is None or self._counters.tid != frame.writer.tid:
                    self._counters = ThreadCounters(frame.writer.tid)
                    self._placement = Placement(frame.writer.tid)
                    self._placement.start()
                assert self._placement is not None
                found = {f"on node {node}": pages for node, pages in self._placement.found.items()}
                self.samples.append((frame.end_ns, {**self._counters.read(), **found}))
            yield frame

    async def apply(self, request: Request) -> Outcome:
        return await self._source.apply(request)

    async def close(self) -> None:
        if self._placement is not None:
            self._placement.stop()
        await self._source.close()
        if self._counters is not None:
            self._counters.close()
            self._counters = None
