"""Every stall gets a verdict once, with what was known around it; memory stays bounded."""

from __future__ import annotations

from dataclasses import replace

from tests.model.makers import a_frame, a_sample, a_write, a_zone, at
from wlat_tui.evidence import CpuTime, StallTrace, TraceEvent, TraceLevel, Tracer
from wlat_tui.frame import Frame, Write
from wlat_tui.model.session import Session
from wlat_tui.model.stalls import KEPT, PER_FRAME, WAIT_FOR_SLOW_TRACE, WAIT_WHILE_READ_NS

MS = 1_000_000


def a_stall_frame(i: int, *stalls: Write, **more: object) -> Frame:
    frame = a_frame(i, stalls, **more)
    assert frame.writer is not None
    return replace(frame, writer=replace(frame.writer, stalls=stalls, stall_count=len(stalls)))


def folded(*frames: Frame) -> Session:
    session = Session()
    for frame in frames:
        session.fold(frame)
    return session


def test_a_stall_without_a_trace_is_explained_after_two_frames() -> None:
    stall = a_write(at(0), 5 * MS)
    session = folded(a_stall_frame(0, stall), a_frame(1))
    assert not session.explained
    session.fold(a_frame(2))
    assert [explained.write for explained in session.explained] == [stall]
    assert session.explained[0].verdict.level is TraceLevel.NOTHING
    session.fold(a_frame(3))
    assert len(session.explained) == 1


def test_a_stall_is_explained_once_when_its_trace_arrives_and_the_trace_is_not_kept() -> None:
    stall = a_write(at(0), 5 * MS)
    trace = StallTrace(stall.planned_ns, stall.planned_ns, stall.end_ns, (), listing="vfs_write();")
    session = folded(a_stall_frame(0, stall), a_frame(1, traces=(trace,)))
    assert [explained.verdict.level for explained in session.explained] == [TraceLevel.FULL]
    assert session.explained[0].listing == "vfs_write();"
    assert not session.traces


def test_a_trace_whose_stall_is_passed_over_or_told_already_is_not_kept_either() -> None:
    stalls = [a_write(at(0) + i, (i + 1) * MS) for i in range(PER_FRAME + 3)]
    session = folded(a_stall_frame(0, *stalls))
    traces = tuple(StallTrace(stall.planned_ns, stall.planned_ns, stall.end_ns, ()) for stall in stalls)
    session.fold(a_frame(1, traces=traces))
    session.fold(a_frame(2, traces=traces))
    assert len(session.explained) == PER_FRAME
    assert not session.traces


def test_the_room_of_each_node_just_before_and_after_is_kept_with_the_stall() -> None:
    stall = a_write(at(1), 5 * MS)
    session = folded(
        a_frame(0, nodes=(a_sample(9_000),), zones=(a_zone(free=9_000),)),
        a_stall_frame(1, stall, nodes=(a_sample(2_500),)),
        a_frame(2, nodes=(a_sample(7_000),)),
        a_frame(3),
    )
    (node,) = session.explained[0].circumstances.nodes
    assert (node.headroom_before_pages, node.headroom_after_pages) == (7_000, 500)


def test_counters_are_taken_between_the_readings_that_enclose_the_stall() -> None:
    stall = a_write(at(2), 5 * MS)
    times = [(CpuTime(0, {"user": 10 * n, "idle": 10 * n, "steal": n}),) for n in range(5)]
    session = folded(
        a_frame(0, cpu_times=times[0]),
        a_frame(1, cpu_times=times[1]),
        a_stall_frame(2, stall),
        a_frame(3),
        a_frame(4, cpu_times=times[4]),
        a_frame(5),
    )
    known = session.explained[0].circumstances
    assert known.steal_ns == 30 * MS


def test_a_late_wake_waits_for_the_steal_that_was_counted_around_it() -> None:
    stall = replace(a_write(at(1), 10_000), begin_ns=at(1) + 30 * MS, end_ns=at(1) + 30 * MS + 10_000)
    waking = TraceEvent(stall.begin_ns - 1_000, "sched_waking", 0)
    trace = StallTrace(stall.planned_ns, stall.planned_ns - MS, stall.end_ns, (waking,))
    session = folded(
        a_frame(0, cpu_times=(CpuTime(0, {"user": 5, "steal": 1}),)),
        a_stall_frame(1, stall),
        a_frame(2, traces=(trace,)),
        a_frame(3),
    )
    assert not session.explained
    session.fold(a_frame(4, cpu_times=(CpuTime(0, {"user": 8, "steal": 4}),)))
    (explained,) = session.explained
    assert (explained.verdict.cause, explained.circumstances.steal_ns) == ("steal", 30 * MS)


def test_top_causes_count_every_stall_and_remember_the_worst() -> None:
    session = folded(*(a_stall_frame(i, a_write(at(i), (i + 1) * MS)) for i in range(5)), a_frame(5), a_frame(6))
    top = session.top_causes
    assert sum(cause.count for cause in top) == 5
    assert max(cause.worst_ns for cause in top) >= 5 * MS
    assert sum(cause.total_ns for cause in top) == sum(explained.verdict.span_ns for explained in session.explained)


def test_a_flood_of_stalls_costs_a_bounded_number_of_verdicts_and_is_admitted() -> None:
    stalls = tuple(a_write(at(0) + i, 1 * MS + i) for i in range(300))
    session = folded(a_stall_frame(0, *stalls), a_frame(1), a_frame(2), a_frame(3))
    assert len(session.explained) == PER_FRAME
    assert session.stalls_passed_over == 300 - PER_FRAME
    assert min(explained.write.service_ns for explained in session.explained) == 1 * MS + 300 - PER_FRAME


def test_a_day_of_stalls_stays_bounded() -> None:
    session = Session()
    for i in range(2 * KEPT // PER_FRAME + 4):
        session.fold(a_stall_frame(i, *(a_write(at(i) + n, 2 * MS) for n in range(PER_FRAME))))
    assert len(session.explained) == KEPT
    assert sum(cause.count for cause in session.top_causes) > KEPT


TRACER = Tracer(TraceLevel.FULL, False, ())


def a_trace(stall: Write) -> StallTrace:
    return StallTrace(stall.planned_ns, stall.planned_ns, stall.end_ns, ())


def test_a_trace_that_is_still_being_read_is_waited_for_with_what_was_known_around_the_stall() -> None:
    """A slow host: its verdict comes late, and is the one it would have been."""
    stall = a_write(at(1), 5 * MS)
    ticks = [(CpuTime(0, {"user": 10 * n, "idle": 10 * n, "steal": n}),) for n in range(100)]
    session = folded(a_frame(0, tracer=TRACER, cpu_times=ticks[0]), a_stall_frame(1, stall, cpu_times=ticks[1]))
    for i in range(2, 90):
        session.fold(a_frame(i, traces_awaited_ns=stall.planned_ns - 1, cpu_times=ticks[i]))
    assert not session.explained
    session.fold(a_frame(90, traces=(a_trace(stall),)))
    assert [explained.verdict.level for explained in session.explained] == [TRACER.level]
    assert session.explained[0].circumstances.steal_ns == 10 * MS, "between the readings around it"


def test_a_stall_whose_trace_was_not_among_those_that_were_read_is_explained_without_one() -> None:
    stall = a_write(at(1), 5 * MS)
    session = folded(a_frame(0, tracer=TRACER), a_stall_frame(1, stall))
    for i in range(2, 2 + WAIT_FOR_SLOW_TRACE):
        session.fold(a_frame(i, traces_awaited_ns=stall.planned_ns + 1))
    assert [explained.verdict.level for explained in session.explained] == [TraceLevel.NOTHING]


def test_a_trace_that_never_comes_is_not_waited_for_for_ever() -> None:
    stall = a_write(at(1), 5 * MS)
    session = folded(a_frame(0, tracer=TRACER), a_stall_frame(1, stall))
    most = WAIT_WHILE_READ_NS // (a_frame(0).end_ns - a_frame(0).begin_ns)
    for i in range(2, most + 3):
        session.fold(a_frame(i, traces_awaited_ns=stall.planned_ns))
    assert [explained.verdict.level for explained in session.explained] == [TraceLevel.NOTHING]
