"""What of each frame is worth its bytes: a recording of any host stays within some 10 MB an hour.

Kept whatever happens: every count, every worst write, every reading of the kernel, marks, notices. Histograms are coarse
(`compact.py`) but for a second around a stall (not around every one, where there are many a minute). In a storm of stalls, and
only then, not all of them are described singly: the longest of a tick are, and what is left out is counted as a loss by name.
Late wakes, of which a busy host has thousands, have a share of their own: they take none from the stalls in write() itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from wlat_tui.evidence import StallTrace
from wlat_tui.frame import UNRECORDED_LATE_WAKES, Frame, Settings, Write
from wlat_tui.sessions.compact import compact_frame

UNRECORDED_STALLS = "unrecorded_stalls"
UNRECORDED_TRACES = "unrecorded_traces"
UNRECORDED_DISTURBANCES = "unrecorded_disturbances"
REMEMBERED_STALLS = 500
EXACT_NS = 1_000_000_000
"""How long around a stall histograms are exact."""


class Allowance:
    """So much at once, and then so much a second. Asked in time order."""

    def __init__(self, most: float, per_s: float) -> None:
        self._left = self._most = most
        self._per_s = per_s
        self._at_ns: int | None = None

    def take(self, at_ns: int, wanted: int) -> int:
        """How many of *wanted* there may be."""
        if self._at_ns is not None:
            self._left = min(self._most, self._left + self._per_s * max(0, at_ns - self._at_ns) / 1e9)
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
        self._disturbances = Allowance(300, 5)
        self._threshold_ns = Settings().threshold_ns

    def coarsened(self, frames: Sequence[Frame]) -> list[Frame]:
        """Consecutive frames with coarse histograms, but for those around a stall."""
        stalls = [frame.end_ns for frame in frames if frame.writer is not None and frame.writer.stall_count]
        out = []
        for frame in frames:
            near = any(frame.begin_ns - EXACT_NS < at_ns < frame.end_ns + EXACT_NS for at_ns in stalls)
            out.append(frame if near and self._exact.take(frame.end_ns, 1) else compact_frame(frame))
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
            traces = self._affordable(frame)
            if len(traces) < len(frame.traces):
                lost[UNRECORDED_TRACES] = len(frame.traces) - len(traces)
                frame = replace(frame, traces=traces)
        if frame.disturbances:
            given = self._disturbances.take(frame.end_ns, len(frame.disturbances))
            if given < len(frame.disturbances):
                lost[UNRECORDED_DISTURBANCES] = len(frame.disturbances) - given
                weighty = sorted(frame.disturbances, key=lambda d: -(d.spent_ns or 0))[:given]
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
        return tuple(write for write in stalls if write in kept)

    def _affordable(self, frame: Frame) -> tuple[StallTrace, ...]:
        """Traces of the longest stalls, as many as their events may be."""
        kept = []
        for trace in sorted(frame.traces, key=lambda trace: trace.from_ns - trace.to_ns):
            wanted = 1 + len(trace.events) + len(trace.listing) // 50
            allowance = self._events if trace.planned_ns in self._slow else self._late_events
            if allowance.take(frame.end_ns, wanted) < wanted:
                continue
            kept.append(trace.planned_ns)
        return tuple(trace for trace in frame.traces if trace.planned_ns in kept)
