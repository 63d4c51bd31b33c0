"""What of each frame is worth its bytes: a recording stays within 10 MB an hour.

Kept whatever happens: every count, every worst write, every reading of the kernel, marks, notices. Histograms are coarse
(`compact.py`) but for a second around a stall (not around every one, where there are many a minute). In a storm of stalls, and
only then, not all of them are described singly: the longest of a tick are, and what is left out is counted as a loss by name.
Late wakes, of which a busy host has thousands, have a share of their own: they take none from the stalls in write() itself.
A recording that grows too fast all the same becomes thriftier step by step, and generous again once it has saved some.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from wlat_tui.evidence import StallTrace
from wlat_tui.frame import UNRECORDED_LATE_WAKES, Frame, Settings, Write
from wlat_tui.sessions.compact import GROUP, compact_frame

UNRECORDED_STALLS = "unrecorded_stalls"
UNRECORDED_TRACES = "unrecorded_traces"
UNRECORDED_DISTURBANCES = "unrecorded_disturbances"
REMEMBERED_STALLS = 500
REMEMBERED_LEFT_OUT = 20_000
EXACT_NS = 1_000_000_000
"""How long around a stall histograms are exact."""
HOUR_BYTES = 9_000_000
SAVED_BYTES = 150_000
"""At most so much of what is not used is kept for worse times; a recording begins with it."""
GROUPS = (GROUP, 2 * GROUP, 4 * GROUP, 8 * GROUP, 8 * GROUP)
"""Buckets taken as one (`compact.py`), by step of thrift. Each step also halves what is described singly."""
FIRST = ("write", "read", "hook", "preempted")
"""Kinds of disturbances that go first: what takes locks or the CPU, before what merely competes."""


class Allowance:
    """So much at once, and then so much a second. Asked in time order."""

    def __init__(self, most: float, per_s: float) -> None:
        self._left = self._most = most
        self._per_s = per_s
        self._at_ns: int | None = None
        self.share = 1.0
        """Of what there is a second."""

    def take(self, at_ns: int, wanted: int) -> int:
        """How many of *wanted* there may be."""
        if self._at_ns is not None:
            self._left = min(self._most, self._left + self.share * self._per_s * max(0, at_ns - self._at_ns) / 1e9)
        self._at_ns = at_ns
        given = min(wanted, int(self._left))
        self._left -= given
        return given


class Thrift:
    """Frames in, thriftier frames out, in time order."""

    def __init__(self) -> None:
        self._exact = Allowance(11, 0.05)
        self._stalls, self._late_wakes = Allowance(60, 2), Allowance(30, 1)
        self._events, self._late_events = Allowance(3_000, 50), Allowance(600, 10)
        self._slow: deque[int] = deque(maxlen=REMEMBERED_STALLS)
        """``planned_ns`` of the newest stalls in write() itself: their traces may come later."""
        self._left_out: deque[int] = deque(maxlen=REMEMBERED_LEFT_OUT)
        """The same of stalls that were left out: so are their traces, without being counted again."""
        self._disturbances = Allowance(300, 5)
        self._threshold_ns = Settings().threshold_ns
        self.group = GROUP
        """The widest so far."""
        self._step = 0
        self._saved_bytes = float(SAVED_BYTES)

    def grew(self, by_bytes: int, in_ns: int) -> None:
        """The recording has become so much larger by what covers so much time."""
        self._saved_bytes = min(SAVED_BYTES, self._saved_bytes + HOUR_BYTES * in_ns / 3_600e9 - by_bytes)
        if self._saved_bytes < 0:
            self._step = min(len(GROUPS) - 1, self._step + 1)
        elif self._saved_bytes > SAVED_BYTES / 2:
            self._step = max(0, self._step - 1)
        self.group = max(self.group, GROUPS[self._step])
        for allowance in (self._exact, self._stalls, self._late_wakes, self._events, self._late_events, self._disturbances):
            allowance.share = 0.5**self._step

    def coarsened(self, frames: Sequence[Frame]) -> list[Frame]:
        """Consecutive frames with coarse histograms, but for those around a stall."""
        stalls = [frame.end_ns for frame in frames if frame.writer is not None and frame.writer.stall_count]
        out = []
        for frame in frames:
            near = any(frame.begin_ns - EXACT_NS < at_ns < frame.end_ns + EXACT_NS for at_ns in stalls)
            out.append(frame if near and self._exact.take(frame.end_ns, 1) else compact_frame(frame, GROUPS[self._step]))
        return out

    def bounded(self, frame: Frame) -> Frame:
        """The frame without what a storm brings too much of."""
        lost: dict[str, int] = {}
        tick = frame.writer
        if frame.settings is not None:
            self._threshold_ns = frame.settings.threshold_ns
        if tick is not None and tick.stalls:
            stalls = self._described(tick.stalls, frame.end_ns)
            if len(stalls) < len(tick.stalls):
                late = sum(map(self._late, tick.stalls)) - sum(map(self._late, stalls))
                left_out = {UNRECORDED_LATE_WAKES: late, UNRECORDED_STALLS: len(tick.stalls) - len(stalls) - late}
                lost |= {name: count for name, count in left_out.items() if count}
                frame = replace(frame, writer=replace(tick, stalls=stalls))
        if frame.traces:
            unwanted = {trace.planned_ns for trace in frame.traces}.intersection(self._left_out)
            described = [trace for trace in frame.traces if trace.planned_ns not in unwanted]
            traces = self._affordable(described, frame.end_ns)
            if len(traces) < len(described):
                lost[UNRECORDED_TRACES] = len(described) - len(traces)
            frame = replace(frame, traces=traces)
        if frame.disturbances:
            given = self._disturbances.take(frame.end_ns, len(frame.disturbances))
            if given < len(frame.disturbances):
                lost[UNRECORDED_DISTURBANCES] = len(frame.disturbances) - given
                weighty = sorted(frame.disturbances, key=lambda d: (d.own, d.kind not in FIRST, -(d.spent_ns or 0)))[:given]
                frame = replace(frame, disturbances=tuple(d for d in frame.disturbances if d in weighty))
        return replace(frame, losses={**frame.losses, **lost}) if lost else frame

    def _late(self, write: Write) -> bool:
        """A late wake: write() itself stayed within the threshold."""
        return write.service_ns <= self._threshold_ns

    def _described(self, stalls: Sequence[Write], at_ns: int) -> tuple[Write, ...]:
        """The longest, in the order they had: of those in write() at least one."""
        slow = sorted((write for write in stalls if not self._late(write)), key=lambda write: -write.service_ns)
        late = sorted(filter(self._late, stalls), key=lambda write: -write.response_ns)
        self._slow.extend(write.planned_ns for write in slow)
        kept = slow[: max(1, self._stalls.take(at_ns, len(slow)))] + late[: self._late_wakes.take(at_ns, len(late))]
        self._left_out.extend({write.planned_ns for write in stalls}.difference(write.planned_ns for write in kept))
        return tuple(write for write in stalls if write in kept)

    def _affordable(self, traces: Sequence[StallTrace], at_ns: int) -> tuple[StallTrace, ...]:
        """Traces of the longest stalls, as many as their events may be."""
        kept = []
        for trace in sorted(traces, key=lambda trace: trace.from_ns - trace.to_ns):
            wanted = 1 + len(trace.events) + len(trace.listing) // 50
            allowance = self._events if trace.planned_ns in self._slow else self._late_events
            if allowance.take(at_ns, wanted) < wanted:
                continue
            kept.append(trace.planned_ns)
        return tuple(trace for trace in traces if trace.planned_ns in kept)
