"""Stalls with their verdicts, and what else was known at that moment.

A stall waits for its trace, which may come a frame later, or much later where a slow host is still reading it, and, while much
of it is unexplained, for the readings that enclose it. Its verdict is then made once and kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, TypeVar

from wlat_tui.causes import COUNTERS, Advice, Cause, Circumstances, NodeAround, Verdict, cause_named, explain
from wlat_tui.causes.verdict import HOST_COULD
from wlat_tui.evidence import CpuTime, Disturbance, StallTrace, Thread, TraceLevel
from wlat_tui.frame import Frame, Pressure, Write
from wlat_tui.model.nodes import NodeState

if TYPE_CHECKING:
    from wlat_tui.model.past import CauseSum
    from wlat_tui.model.session import Session

T = TypeVar("T")
KEPT = 300
"""Each holds what was known around it, a few KB; its trace is not needed any more, and a recording keeps it."""
WAIT_FOR_TRACE = 2
"""Frames after which a stall without a trace is explained without one, where nothing is traced."""
WAIT_FOR_SLOW_TRACE = 10
"""The same where the writer is traced: on a busy host its records take a while to become names."""
WAIT_WHILE_READ_NS = 120_000_000_000
"""The same while the trace is there but still being read: an emulated host takes half a minute for its table of symbols."""
WAIT_FOR_READINGS = 6
"""Frames a stall that its trace does not explain waits for counters that enclose it: /proc/vmstat is read once a second."""
ENOUGH_PCT = 90.0
TICKS_PER_S = 100
"""USER_HZ of /proc/stat: 100 on every architecture wlat runs on."""
PER_FRAME = 64
"""Stalls of one frame that get a verdict: with a threshold set too low there are thousands."""
EVENTS_PER_FRAME = 20_000
"""Trace events read in one frame (a tenth of a second): what is beyond waits for the next one."""
MOST_WAITING = 1_000
NEIGHBOURS = 12
REAL_TIME = (1, 2, 6)
"""SCHED_FIFO, SCHED_RR, SCHED_DEADLINE. Source: include/uapi/linux/sched.h."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One stall, why it was slow, and what was known around it."""

    write: Write
    verdict: Verdict
    circumstances: Circumstances
    listing: str = ""
    """function_graph output of this write (`StallTrace.listing`); empty: not switched on."""

    @property
    def cause(self) -> Cause:
        """What the stall is named after."""
        return cause_named(self.verdict.cause)

    @property
    def suspect(self) -> Disturbance | None:
        """Who most likely caused it: a disturbance that goes with the cause and overlapped it; None: nobody was seen."""
        first = next(iter(self.circumstances.neighbours), None)
        return first if first is not None and blamed(self.cause, first) else None

    @property
    def culprit(self) -> Thread | None:
        """Whom the trace names (who had the CPU), else the suspect; None: nobody is known."""
        suspect = self.suspect
        return self.verdict.main.by or (None if suspect is None else suspect.by)

    def advice(self) -> tuple[Advice, ...]:
        """What would help on this host as it was then, best first. Made anew at every call."""
        return self.cause.advise(self.circumstances)


@dataclass(frozen=True, slots=True)
class TopCause:
    """All stalls since the start that were named after one cause."""

    cause: Cause
    count: int
    total_ns: int
    """Sum of the whole stalls (each as long as its verdict's span)."""
    worst_ns: int
    worst: Write
    last_ns: int
    """When the newest of them ended."""
    explained_ns: int
    """How much of ``total_ns`` any cause accounts for."""


def blamed(cause: Cause, other: Disturbance) -> bool:
    """Whether a disturbance is of a kind that brings about this cause."""
    return any(other.kind == blame.kind and blame.what in other.what for blame in cause.blames)


@dataclass(slots=True)
class _Waiting:
    """A stall without a verdict yet, with what will not be known any more later."""

    write: Write
    frames: int
    known: Circumstances
    open: bool = False
    """Its trace explains too little, or what it tells may be the hypervisor's doing: counters may say more."""
    final: bool = False
    """``known`` has all that was read around it: those readings are not kept as long as a slow trace may take."""


class _Readings(Generic[T]):
    """The last few readings of something, to find the two that enclose a stall."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, T]] = deque(maxlen=16)

    def add(self, at_ns: int, value: T | None) -> None:
        if value is not None:
            self._kept.append((at_ns, value))

    def around(self, begin_ns: int, end_ns: int) -> tuple[int, T, T] | None:
        """(time between them, before, after); None while one of the two is missing."""
        before = [(at, value) for at, value in self._kept if at <= begin_ns]
        after = [(at, value) for at, value in self._kept if at >= end_ns]
        return (after[0][0] - before[-1][0], before[-1][1], after[0][1]) if before and after else None

    @property
    def expected(self) -> bool:
        """Whether another one may come."""
        return bool(self._kept)


class Stalls:
    """Folds frames into `Explained` stalls and the table of top causes.

    Attributes:
        explained: newest last, bounded.
        passed_over: stalls that got no verdict because there were too many in one frame (the longest of them get one).
    """

    def __init__(self, kept: int = KEPT) -> None:
        self.explained: deque[Explained] = deque(maxlen=kept)
        self.passed_over = 0
        self._top: dict[str, TopCause] = {}
        self._waiting: list[_Waiting] = []
        self._awaited_ns: int | None = None
        self._now_ns = 0
        self._nodes_before: Mapping[int, NodeState] = {}
        self._vmstat: _Readings[Mapping[str, int]] = _Readings()
        self._pressure: _Readings[tuple[Pressure, ...]] = _Readings()
        self._cpus: _Readings[tuple[CpuTime, ...]] = _Readings()

    @property
    def top(self) -> list[TopCause]:
        """Causes by the time they cost, largest first."""
        return sorted(self._top.values(), key=lambda top: -top.total_ns)

    def resume(self, causes: Sequence[CauseSum], passed_over: int) -> None:
        """Begin with what was added up before; causes that this wlat does not know are left out."""
        self.passed_over = passed_over
        for one in causes:
            try:
                cause = cause_named(one.cause)
            except KeyError:
                continue
            figures = (one.count, one.total_ns, one.worst_ns, one.worst, one.last_ns, one.explained_ns)
            self._top[one.cause] = TopCause(cause, *figures)

    def fold(self, frame: Frame, session: Session) -> None:
        """Take one frame in, after the session took in everything else of it."""
        self._add_readings(frame)
        self._take(frame, session)
        self._nodes_before = session.nodes
        self._judge(session)

    @property
    def waiting(self) -> frozenset[int]:
        """``planned_ns`` of the stalls without a verdict yet."""
        return frozenset(waiting.write.planned_ns for waiting in self._waiting)

    def foresee(self, frame: Frame, session: Session) -> None:
        """Judge with what a later frame brings, without taking its stalls."""
        self._add_readings(frame)
        self._judge(session)

    def _add_readings(self, frame: Frame) -> None:
        self._vmstat.add(frame.end_ns, frame.vmstat)
        self._pressure.add(frame.end_ns, frame.pressure)
        self._cpus.add(frame.end_ns, frame.cpu_times)
        self._awaited_ns, self._now_ns = frame.traces_awaited_ns, frame.end_ns
        for waiting in self._waiting:
            waiting.frames += 1

    def _judge(self, session: Session) -> None:
        """Give those that wait their verdict, where enough is known."""
        still: list[_Waiting] = []
        read = 0
        for waiting in self._waiting:
            trace = session.traces.get(waiting.write.planned_ns)
            explained = None
            if read < EVENTS_PER_FRAME:
                explained = self._explain(waiting, trace, session)
                read += len(trace.events) if trace is not None else 0
            if explained is None:
                still.append(waiting)
            else:
                self._keep(explained)
        self._waiting = still

    def _take(self, frame: Frame, session: Session) -> None:
        stalls = frame.writer.stalls if frame.writer is not None else ()
        if len(stalls) > PER_FRAME:
            self.passed_over += len(stalls) - PER_FRAME
            longest = set(sorted(range(len(stalls)), key=lambda i: -stalls[i].response_ns)[:PER_FRAME])
            stalls = tuple(stall for i, stall in enumerate(stalls) if i in longest)
        if not stalls:
            return
        tick = frame.writer
        known = Circumstances(
            host=session.host,
            settings=session.settings,
            knobs=session.knobs,
            tracer=session.tracer,
            writer_tid=None if tick is None else tick.tid or None,
            nodes=_nodes_around(self._nodes_before, session.nodes),
            fifo=tick is not None and tick.sched_policy in REAL_TIME,
        )
        self._waiting += [_Waiting(stall, 0, known) for stall in stalls]
        self.passed_over += max(0, len(self._waiting) - MOST_WAITING)
        del self._waiting[:-MOST_WAITING]

    def _explain(self, waiting: _Waiting, trace: StallTrace | None, session: Session) -> Explained | None:
        """The stall with its verdict; None while it is worth waiting for more."""
        write = waiting.write
        awaited = trace is None and self._trace_may_come(waiting)
        if waiting.frames == 0 or (awaited and (waiting.final or waiting.frames < WAIT_FOR_SLOW_TRACE)):
            # not in its own frame either: what others did meanwhile is known with the next one
            return None
        if not waiting.final:
            waiting.known, complete = self._circumstances(waiting, session)
            waiting.final = complete or waiting.frames >= WAIT_FOR_READINGS
        if awaited or (waiting.open and not waiting.final):
            return None
        known = waiting.known
        verdict = explain(write, trace, known)
        if (verdict.explained_pct < ENOUGH_PCT or verdict.cause in HOST_COULD) and not waiting.final:
            waiting.open = True
            return None
        cause = cause_named(verdict.cause)
        neighbours = sorted(known.neighbours, key=lambda other: (not blamed(cause, other), other.own, -(other.spent_ns or 0)))
        return Explained(
            write, verdict, replace(known, neighbours=tuple(neighbours[:NEIGHBOURS])), "" if trace is None else trace.listing
        )

    def _trace_may_come(self, waiting: _Waiting) -> bool:
        tracer = waiting.known.tracer
        traced = tracer is not None and tracer.level > TraceLevel.NOTHING
        if waiting.frames < (WAIT_FOR_SLOW_TRACE if traced else WAIT_FOR_TRACE):
            return True
        being_read = self._awaited_ns is not None and self._awaited_ns <= waiting.write.planned_ns
        return being_read and self._now_ns - waiting.write.end_ns < WAIT_WHILE_READ_NS

    def _circumstances(self, waiting: _Waiting, session: Session) -> tuple[Circumstances, bool]:
        """What is known around a stall, and whether nothing more can come."""
        begin_ns, end_ns = waiting.write.planned_ns, waiting.write.end_ns
        vmstat = self._vmstat.around(begin_ns, end_ns)
        pressure = self._pressure.around(begin_ns, end_ns)
        cpus = self._cpus.around(begin_ns, end_ns)
        steal_ns, busy_pct = (None, None) if cpus is None else _cpu_time(cpus[1], cpus[2], waiting.write.cpu)
        gauges = session.vmstat or {}
        known = replace(
            waiting.known,
            counters={} if vmstat is None else _risen(vmstat[1], vmstat[2]),
            counters_over_ns=None if vmstat is None else vmstat[0],
            pressure_us={} if pressure is None else _lost_time(pressure[1], pressure[2]),
            dirty_pages=gauges.get("nr_dirty"),
            dirty_limit_pages=gauges.get("nr_dirty_threshold"),
            dirty_background_pages=gauges.get("nr_dirty_background_threshold"),
            steal_ns=steal_ns,
            cpu_busy_pct=busy_pct,
            neighbours=tuple(d for d in session.disturbances if d.begin_ns < end_ns and d.end_ns > begin_ns),
        )
        awaited = ((self._vmstat, vmstat), (self._cpus, cpus))
        return known, all(found is not None or not readings.expected for readings, found in awaited)

    def _keep(self, explained: Explained) -> None:
        self.explained.append(explained)
        verdict = explained.verdict
        before = self._top.get(verdict.cause)
        longer = before is None or verdict.span_ns > before.worst_ns
        self._top[verdict.cause] = TopCause(
            cause=explained.cause,
            count=1 + (before.count if before else 0),
            total_ns=verdict.span_ns + (before.total_ns if before else 0),
            worst_ns=verdict.span_ns if before is None or longer else before.worst_ns,
            worst=explained.write if before is None or longer else before.worst,
            last_ns=verdict.end_ns,
            explained_ns=verdict.explained_ns + (before.explained_ns if before else 0),
        )


def _nodes_around(before: Mapping[int, NodeState], after: Mapping[int, NodeState]) -> tuple[NodeAround, ...]:
    return tuple(
        NodeAround(
            node=number,
            headroom_before_pages=before[number].headroom_pages if number in before else None,
            headroom_after_pages=state.headroom_pages,
            kswapd_awake=state.kswapd_awake,
            boost_pages=state.boost_pages,
            pfns=tuple(
                (each.zone.start_pfn, each.zone.start_pfn + each.zone.spanned)
                for each in state.zones
                if each.zone.start_pfn is not None and each.zone.spanned is not None
            ),
        )
        for number, state in after.items()
        if state.online and state.empty is None
    )


def _risen(before: Mapping[str, int], after: Mapping[str, int]) -> Mapping[str, int]:
    """Rows of /proc/vmstat that any cause asks for and that rose."""
    return {
        name: rise
        for name, count in after.items()
        if name.startswith(COUNTERS) and (rise := count - before.get(name, count)) > 0
    }


def _lost_time(before: tuple[Pressure, ...], after: tuple[Pressure, ...]) -> Mapping[str, int]:
    then = {(line.resource, line.kind): line.total_us for line in before}
    return {
        f"{line.resource} {line.kind}": line.total_us - then[line.resource, line.kind]
        for line in after
        if (line.resource, line.kind) in then
    }


def _cpu_time(before: tuple[CpuTime, ...], after: tuple[CpuTime, ...], cpu: int) -> tuple[int | None, float | None]:
    """(steal ns, busy per cent) of one CPU between two readings."""
    then = next((time.ticks for time in before if time.cpu == cpu), None)
    now = next((time.ticks for time in after if time.cpu == cpu), None)
    if then is None or now is None:
        return None, None
    spent = {name: ticks - then.get(name, ticks) for name, ticks in now.items()}
    # guest time is inside user time already
    whole = sum(ticks for name, ticks in spent.items() if not name.startswith("guest"))
    idle = spent.get("idle", 0) + spent.get("iowait", 0)
    steal_ns = spent["steal"] * 1_000_000_000 // TICKS_PER_S if "steal" in spent else None
    return steal_ns, 100 * (whole - idle) / whole if whole > 0 else None
