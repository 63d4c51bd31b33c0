"""The session: the one mutable state. It folds frames; panels only draw what it holds."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wlat_tui.evidence import CpuTime, Disturbance, StallTrace, Tracer, Watch
from wlat_tui.frame import (
    UNRECORDED_LATE_WAKES,
    Cost,
    Frame,
    Host,
    KnobState,
    Mark,
    Pressure,
    Settings,
    Span,
    Write,
    WriteClass,
    WriterTick,
)
from wlat_tui.model.changes import Change, Changes
from wlat_tui.model.nodes import Nodes, NodeState
from wlat_tui.model.past import Past
from wlat_tui.model.percentiles import KEPT_NS, Latencies, Quantiles, span_ns
from wlat_tui.model.rates import NO_RATES, Rates
from wlat_tui.model.series import Gap, MemorySeries, Timeline, WorstSeries
from wlat_tui.model.stalls import KEPT, Explained, Stalls, TopCause
from wlat_tui.model.suspects import Suspects

KEPT_TRACES = 300
"""Of stalls that wait for their verdict; each is up to 100 KB."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A one-sentence fact the user must see."""

    at_ns: int
    wall_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Headline:
    """The few facts for the top of the screen; None where not known."""

    worst_now_ns: int | None
    """Worst response of the last tick."""
    worst_ever: Write | None
    """Worst response since the start."""
    tightest: NodeState | None
    """The node with least headroom."""
    inflight_ns: int | None
    """How long the write that is in the kernel right now has been there (older than 1 ms)."""
    stalls: int
    """Writes whose write() alone took longer than the threshold, since the start."""
    late_wakes: int
    """Writes that were over it only because the writer woke up late (timer, scheduler, hypervisor), since the start."""


class Session:
    """Everything known about this run. All times come from frames (CLOCK_MONOTONIC ns); nothing here reads a clock.

    Attributes:
        host, writer, vmstat, pressure, cost: the last ones seen, None before.
        settings: the settings asked of the engine (the defaults until a frame brings one).
        writer_missing: why there is no writer report now, None when there is one.
        knobs: kernel settings by name.
        vmstat_rates: /proc/vmstat, change per second between the last two readings; empty before.
        nodes: every node seen, by number, ascending.
        memory: each node's free pages and headroom over time.
        worst: the worst write per tick over time, by `Span`.
        notices, marks, gaps, stalls: newest last, bounded.
        losses: what was dropped, by name, since the start.
        writes: finished writes by `WriteClass`, since the start.
        skipped_slots, error_slots, stall_count: since the start.
        late_wakes: those of ``stall_count`` whose write() itself stayed within the threshold. (Only stalls that came one by one
            can be told apart; of those that were ``stalls_lost`` it is not known, and they count as stalls.)
        traces: kernel evidence of stalls without a verdict yet, by the stall's ``planned_ns``; bounded.
        tracer, watches, cpu_times: the last ones seen, None before.
        disturbances: what others did to the write path, newest last, bounded.
        suspects: the same, added up by who did it, with the stalls it coincided with.
        explained: stalls with their verdicts, newest last, bounded; a stall comes here once its verdict is made, within
            two frames (up to ten where counters are needed for it, longer where a slow host is still reading its trace).
    """

    frames: int
    host: Host | None
    settings: Settings
    writer: WriterTick | None
    writer_missing: str | None
    now_ns: int
    wall_ns: int
    started_ns: int
    knobs: Mapping[str, KnobState]
    vmstat: Mapping[str, int] | None
    vmstat_rates: Mapping[str, float]
    pressure: tuple[Pressure, ...] | None
    cost: Cost | None
    nodes: Mapping[int, NodeState]
    memory: Mapping[int, MemorySeries]
    worst: Mapping[Span, WorstSeries]
    notices: deque[Notice]
    marks: deque[Mark]
    gaps: deque[Gap]
    stalls: deque[Write]
    losses: Counter[str]
    writes: list[int]
    skipped_slots: int
    error_slots: int
    stall_count: int
    late_wakes: int
    traces: dict[int, StallTrace]
    tracer: Tracer | None
    watches: tuple[Watch, ...] | None
    cpu_times: tuple[CpuTime, ...] | None
    disturbances: deque[Disturbance]
    suspects: Suspects
    explained: deque[Explained]

    def __init__(self, window_s: float = 10.0, *, over_time: bool = True) -> None:
        """``over_time=False``: no percentiles, changes, series and single stalls, for those who only count.

        They are most of the room.
        """
        self._over_time = over_time
        self.frames = 0
        self.host = None
        self.settings = Settings()
        self.writer = None
        self.writer_missing = None
        self.now_ns = self.wall_ns = self.started_ns = 0
        self.knobs = {}
        self.vmstat = None
        self.vmstat_rates = NO_RATES
        self.pressure = None
        self.cost = None
        self._timeline = Timeline()
        self.marks, self.gaps = self._timeline.marks, self._timeline.gaps
        self.worst = {span: WorstSeries(self._timeline) for span in Span}
        self.notices = deque(maxlen=200)
        self.stalls = deque(maxlen=1_000)
        self.losses = Counter()
        self.writes = [0] * len(WriteClass)
        self.skipped_slots = self.error_slots = self.stall_count = self.late_wakes = 0
        self.traces = {}
        self.tracer = None
        self.watches = None
        self.cpu_times = None
        self.disturbances = deque(maxlen=2_000)
        self.suspects = Suspects()
        self._stalls = Stalls(KEPT if over_time else 0)
        self.explained = self._stalls.explained
        self._nodes = Nodes()
        self.nodes = {}
        self._memory: dict[int, MemorySeries] = {}
        self.memory = self._memory
        self._latencies = Latencies(round(window_s * 1e9))
        self._changes = Changes()
        self._vmstat_at_ns = 0
        self._seq: int | None = None

    @classmethod
    def resumed(cls, past: Past, window_s: float = 10.0) -> Session:
        """A session that goes on where *past* ends: what is counted since the start is counted since its start.

        Rates, the window and the evidence of stalls begin with the first frame that is folded. Stalls in the second before it
        may be missing from the causes: their verdicts were still waiting for evidence.
        """
        session, total = cls(window_s), past.total
        session.frames = total.frames
        session.started_ns, session.now_ns = total.begin_ns, total.end_ns
        session.writes = list(total.writes)
        session.skipped_slots, session.error_slots = total.skipped_slots, total.error_slots
        session.stall_count, session._seq = total.stall_count, total.last_seq
        session.late_wakes = total.late_wakes
        session._stalls.resume(total.causes, total.passed_over)
        session.suspects.resume(total.suspects)
        session.losses.update(total.losses)
        session.stalls.extend(past.stalls)
        session.marks.extend(past.marks)
        session.notices.extend(Notice(*notice) for notice in past.notices)
        for gap in past.gaps:
            session._timeline.add_gap(gap)
        for span in Span:
            session.worst[span].preceded_by(past.worst(span))
        for node in past.nodes:
            session._memory[node] = MemorySeries(session._timeline)
            session._memory[node].preceded_by(past.memory(node))
        session._latencies.restore(total.histograms, total.worst)
        return session

    def fold(self, frame: Frame) -> None:
        """Take one frame in. Frames come in time order."""
        if self.frames == 0:
            self.started_ns = frame.begin_ns
        elif frame.begin_ns - self.now_ns > self.settings.tick_ns // 2:
            self._timeline.add_gap(Gap(self.now_ns, frame.begin_ns, "nothing was observed"))
        self.frames += 1
        before_ns, self.now_ns, self.wall_ns = self.now_ns, frame.end_ns, frame.wall_ns
        self._fold_host(frame)
        self._fold_memory(frame, before_ns)
        self._fold_writer(frame)
        self._fold_evidence(frame)
        self._stalls.fold(frame, self)
        self._drop_traces(frame.end_ns)
        self._latencies.expire(frame.end_ns)
        for mark in frame.marks:
            self.marks.append(mark)
            self._changes.add_mark(mark, self._latencies.recent)
        self.losses.update(frame.losses)
        self.notices.extend(Notice(frame.end_ns, frame.wall_ns, text) for text in frame.notices)

    def _fold_host(self, frame: Frame) -> None:
        """Sections that were not read in this frame keep what was known."""
        self.host = frame.host or self.host
        self.settings = frame.settings or self.settings
        if frame.knobs is not None and frame.knobs != self.knobs:
            self.knobs = frame.knobs  # hundreds of stalls keep what was in force then: mostly the same
        self.pressure = frame.pressure if frame.pressure is not None else self.pressure
        self.cost = frame.cost or self.cost
        if frame.vmstat is not None:
            if self.vmstat is not None:
                self.vmstat_rates = Rates(self.vmstat, frame.vmstat, (frame.end_ns - self._vmstat_at_ns) / 1e9)
            self.vmstat, self._vmstat_at_ns = frame.vmstat, frame.end_ns
        self._nodes.fold(frame)
        self.nodes = self._nodes.states

    def _fold_memory(self, frame: Frame, before_ns: int) -> None:
        """Add free pages and headroom to the series.

        A sample is one moment, the frame's end. It stands for the time since the last one, but not for more than two ticks: a
        frame gets long when the engine or wlat was held up, and then nobody looked at the nodes meanwhile.
        """
        if not self._over_time:
            return
        begin_ns = max(frame.begin_ns, before_ns, frame.end_ns - 2 * self.settings.tick_ns)
        for sample in frame.nodes or ():
            state = self.nodes[sample.node]
            series = self._memory.get(sample.node)
            if series is None:
                series = self._memory[sample.node] = MemorySeries(self._timeline)
            series.add(begin_ns, frame.end_ns, state.free_pages, state.headroom_pages)

    def _fold_writer(self, frame: Frame) -> None:
        tick = frame.writer
        if tick is None:
            if frame.writer_missing is not None:
                self.writer_missing = frame.writer_missing
                self._timeline.add_gap(Gap(frame.begin_ns, frame.end_ns, frame.writer_missing, writer_only=True))
            return
        if self._seq is not None and tick.seq > self._seq + 1 and not frame.losses.get("late_ticks"):
            # the engine merged reports nobody took: no write is lost, but one tick stands for several
            self.losses["late_ticks"] += tick.seq - self._seq - 1
        self._seq = tick.seq
        if tick.stalls_lost and not frame.losses.get("stalls"):
            self.losses["stalls"] += tick.stalls_lost
        self.writer, self.writer_missing = tick, None
        if (gap := _writer_gap(tick)) is not None:
            self._timeline.add_gap(gap)
        self.writes = [a + b for a, b in zip(self.writes, tick.writes, strict=True)]
        self.skipped_slots += tick.skipped_slots
        self.error_slots += tick.error_slots
        self.stall_count += tick.stall_count
        self.late_wakes += sum(stall.service_ns <= self.settings.threshold_ns for stall in tick.stalls)
        self.late_wakes += frame.losses.get(UNRECORDED_LATE_WAKES, 0)
        self.stalls.extend(tick.stalls)
        if not self._over_time:
            return
        for span in Span:
            write = tick.worst[span]
            worst_ns = None if write is None else span_ns(write, span)
            self.worst[span].add(tick.begin_ns, tick.end_ns, worst_ns, None if write is None else write.write_class)
        self._latencies.add(tick)
        self._changes.add_tick(tick, self.settings.prewarm)

    def _fold_evidence(self, frame: Frame) -> None:
        self.tracer = frame.tracer or self.tracer
        self.watches = frame.watches if frame.watches is not None else self.watches
        self.cpu_times = frame.cpu_times if frame.cpu_times is not None else self.cpu_times
        self.disturbances.extend(frame.disturbances)
        self.suspects.fold(frame.disturbances, frame.writer.stalls if frame.writer is not None else ())
        for trace in frame.traces:
            self.traces[trace.planned_ns] = trace
            while len(self.traces) > KEPT_TRACES:
                del self.traces[next(iter(self.traces))]

    def _drop_traces(self, now_ns: int) -> None:
        """A verdict says what its trace said. (One that ends later was foreseen: its stall is still to come.)"""
        if self.traces:
            waiting = self._stalls.waiting
            self.traces = {at: trace for at, trace in self.traces.items() if at in waiting or trace.to_ns > now_ns}

    def foresee(self, frames: Iterable[Frame]) -> None:
        """Take nothing but the evidence of frames to come, until every stall so far has its verdict. Time stays where it is."""
        seen = self.disturbances
        self.disturbances = deque(seen, maxlen=seen.maxlen)
        for frame in frames:
            if not self._stalls.waiting:
                break
            self.disturbances.extend(frame.disturbances)
            self.traces.update((trace.planned_ns, trace) for trace in frame.traces)
            self._stalls.foresee(frame, self)
        self.disturbances = seen  # they come again with their frames

    @property
    def awaiting_verdict(self) -> frozenset[int]:
        """``planned_ns`` of the stalls that have none yet: their trace is being read, or more becomes known. Never for long."""
        return self._stalls.waiting

    @property
    def top_causes(self) -> list[TopCause]:
        """What stalls were named after since the start, by the time they cost, largest first."""
        return self._stalls.top

    @property
    def stalls_passed_over(self) -> int:
        """Stalls without a verdict, because there were too many at once (the longest of a frame get theirs)."""
        return self._stalls.passed_over

    @property
    def elapsed_ns(self) -> int:
        """Time covered since the first frame began."""
        return self.now_ns - self.started_ns

    @property
    def window_s(self) -> float:
        """Length of the moving window of `window`; can be set (0.2 .. 30), what is kept is re-counted at once.

        Raises:
            ValueError: outside that range.
        """
        return self._latencies.window_ns / 1e9

    @window_s.setter
    def window_s(self, value: float) -> None:
        if not 0.2 <= value <= KEPT_NS / 1e9:
            raise ValueError(f"a window of {value:g} s is not possible: choose 0.2 to {KEPT_NS / 1e9:g} s")
        self._latencies.window_ns = round(value * 1e9)

    def window(self, span: Span, write_class: WriteClass | None = None) -> Quantiles | None:
        """Quantiles of the last ``window_s`` seconds, all classes or one; None when there was no write."""
        return self._latencies.window(span, write_class)

    def whole(self, span: Span, write_class: WriteClass | None = None) -> Quantiles | None:
        """Quantiles since the start, all classes or one; None when there was no write."""
        return self._latencies.whole(span, write_class)

    def whole_at(self, span: Span, write_class: WriteClass | None, fractions: Sequence[float]) -> list[int] | None:
        """Durations (ns) since the start that these fractions (0..1, ascending) do not exceed; None when there was no write."""
        return self._latencies.whole_at(span, write_class, fractions)

    def worst_window(self, span: Span) -> Write | None:
        """The exact worst write of the window."""
        return self._latencies.worst_window(span)

    def worst_ever(self, span: Span) -> Write | None:
        """The exact worst write since the start."""
        return self._latencies.worst_ever(span)

    def worst_now_ns(self, span: Span) -> int | None:
        """The worst of the last tick; None when no report is that young, or nothing finished in it."""
        age_ns = self.writer_age_ns
        if self.writer is None or age_ns is None or age_ns > 3 * self.settings.tick_ns or self.writer_missing is not None:
            return None
        write = self.writer.worst[span]
        return None if write is None else span_ns(write, span)

    @property
    def rate_per_s(self) -> float | None:
        """Writes finished per second over the last second or so; None when no report is that young."""
        ticks = list(self._latencies.latest(max(1_000_000_000, self.settings.tick_ns + 1)))
        covered_ns = sum(tick.end_ns - tick.begin_ns for tick in ticks)
        return sum(sum(tick.writes) for tick in ticks) * 1e9 / covered_ns if covered_ns else None

    @property
    def writer_age_ns(self) -> int | None:
        """Time since the last report ended; well above a tick when the engine is stopped. None before the first."""
        return None if self.writer is None else max(0, self.now_ns - self.writer.end_ns)

    @property
    def asked_rate_per_s(self) -> float:
        """Writes per second the settings ask for."""
        return 1e9 / self.settings.interval_ns

    @property
    def changes(self) -> list[Change]:
        """Before and after of every mitigation applied or restored, newest last (bounded)."""
        return self._changes.read()

    def marks_between(self, begin_ns: int, end_ns: int) -> list[Mark]:
        """Marks on a stretch of the time axis, for drawing."""
        return self._timeline.marks_between(begin_ns, end_ns)

    def headline(self) -> Headline:
        """The few facts for the top of the screen. No causes."""
        age_ns = self.writer_age_ns
        fresh = age_ns is not None and age_ns <= 3 * self.settings.tick_ns and self.writer_missing is None
        tick = self.writer if fresh else None
        now = tick.worst[Span.RESPONSE] if tick is not None else None
        inflight = tick.inflight if tick is not None else None
        known = [state for state in self.nodes.values() if state.online and state.headroom_pages is not None]
        return Headline(
            worst_now_ns=None if now is None else now.response_ns,
            worst_ever=self.worst_ever(Span.RESPONSE),
            tightest=min(known, key=lambda state: state.headroom_pages or 0, default=None),
            inflight_ns=None if inflight is None or tick is None else tick.end_ns - inflight.begin_ns,
            stalls=self.stall_count - self.late_wakes,
            late_wakes=self.late_wakes,
        )


def _writer_gap(tick: WriterTick) -> Gap | None:
    """The part of a tick in which the writer could not run or could not write."""
    if tick.gap_ns > 0:
        # a stopped reporter ends its tick right after it runs again, so the gap is the tick's end
        begin_ns = max(tick.begin_ns, tick.end_ns - tick.gap_ns)
        return Gap(begin_ns, tick.end_ns, "the engine was stopped or the machine was suspended", writer_only=True)
    if tick.error_slots > 0 and sum(tick.writes) == 0:
        reason = os.strerror(tick.error) if tick.error else "reason unknown"
        return Gap(tick.begin_ns, tick.end_ns, f"the writer could not write: {reason}", writer_only=True)
    return None
