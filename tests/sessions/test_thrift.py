"""By default a recording keeps what matters exactly and stays small; a storm does not make it large."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings

from tests.model.makers import START, a_frame, a_write, at
from tests.sessions.makers import recorded, scripted, sessions, sorted_buckets
from wlat_tui.evidence import Disturbance, StallTrace, Thread, TraceEvent
from wlat_tui.frame import UNRECORDED_LATE_WAKES, Frame, HistogramDelta, Span, WriteClass
from wlat_tui.model.session import Session
from wlat_tui.sessions.compact import within
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.store import BLOCK_FRAMES, Store
from wlat_tui.sessions.thrift import (
    UNRECORDED_DISTURBANCES,
    UNRECORDED_STALLS,
    UNRECORDED_TRACES,
    Allowance,
    Thrift,
)


def folded(frames: Iterable[Frame]) -> Session:
    session = Session()
    for frame in frames:
        session.fold(frame)
    return session


def thrifty(frames: Iterable[Frame]) -> list[Frame]:
    thrift = Thrift()
    return thrift.coarsened([thrift.bounded(frame) for frame in frames])


def check_equal_but_for_the_histograms(kept: list[Frame], frames: list[Frame]) -> None:
    whole, coarse = folded(frames), folded(kept)
    for span in Span:
        exact, near = whole.whole(span), coarse.whole(span)
        assert (exact is None) == (near is None)
        if exact is not None and near is not None:
            assert (near.count, near.max_ns) == (exact.count, exact.max_ns)
            for name in ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns"):
                assert getattr(near, name) == pytest.approx(getattr(exact, name), rel=0.017, abs=40)
        assert coarse.worst_ever(span) == whole.worst_ever(span)
    assert (coarse.writes, coarse.stall_count, list(coarse.stalls)) == (whole.writes, whole.stall_count, list(whole.stalls))
    assert coarse.losses == whole.losses
    assert (coarse.nodes, coarse.knobs, list(coarse.marks)) == (whole.nodes, whole.knobs, list(whole.marks))


@settings(max_examples=25, deadline=None)
@given(sessions())
def test_what_is_kept_folds_to_what_was_seen_but_for_the_stated_error(frames: list[Frame]) -> None:
    check_equal_but_for_the_histograms(thrifty(frames), frames)


def test_a_story_is_kept_whole_and_the_first_stall_exactly(tmp_path: Path) -> None:
    frames = [sorted_buckets(frame) for frame in scripted(120)]
    recorder = Recorder(tmp_path / "a.wlat", {})
    for frame in frames:
        recorder.take(frame)
    assert recorder.close("done") is None
    with Recording(recorder.path) as recording:
        assert recording.facts["compact"] is True
        back = list(recording.frames())
    check_equal_but_for_the_histograms(back, frames)
    first = next(i for i, frame in enumerate(frames) if frame.writer is not None and frame.writer.stall_count)
    assert back[first] == frames[first]
    assert back[first - 1] == frames[first - 1]
    assert back[0] != frames[0]
    assert recorded(tmp_path / "b.wlat", frames).stat().st_size > 1.5 * recorder.path.stat().st_size


def a_storm(count: int) -> list[Frame]:
    frames = []
    for i in range(count):
        stalls = [a_write(at(i) + k * 50_000, 2_000_000 + k) for k in range(100)]
        traces = tuple(
            StallTrace(w.planned_ns, w.begin_ns, w.end_ns, tuple(TraceEvent(w.begin_ns, "sched_switch", 0) for _ in range(20)))
            for w in stalls
        )
        noise = tuple(Disturbance("read", "/proc/slabinfo", Thread(k), at(i), at(i) + 9, spent_ns=k) for k in range(50))
        frame = a_frame(i, stalls, traces=traces, disturbances=noise)
        assert frame.writer is not None
        frames.append(replace(frame, writer=replace(frame.writer, stalls=tuple(stalls), stall_count=len(stalls))))
    return frames


def test_in_a_storm_the_longest_are_kept_the_rest_is_counted_and_the_file_stays_small(tmp_path: Path) -> None:
    storm = a_storm(300)  # a minute
    kept = thrifty(storm)
    session = folded(kept)
    assert session.stall_count == 30_000
    described = sum(len(frame.writer.stalls) for frame in kept if frame.writer is not None)
    assert session.losses[UNRECORDED_STALLS] == 30_000 - described
    assert all(frame.writer.stalls[-1].service_ns == 2_000_099 for frame in kept if frame.writer is not None)
    traced = {trace.planned_ns for frame in kept for trace in frame.traces}
    assert traced < {write.planned_ns for frame in kept if frame.writer is not None for write in frame.writer.stalls}
    assert session.losses[UNRECORDED_TRACES] == described - len(traced)  # the others are left out with their stalls
    assert session.losses[UNRECORDED_DISTURBANCES] == 15_000 - sum(len(frame.disturbances) for frame in kept)
    assert sum(len(trace.events) for frame in kept for trace in frame.traces) < 8_000
    size = recorded(tmp_path / "a.wlat", kept).stat().st_size
    assert size < 0.1 * recorded(tmp_path / "b.wlat", storm).stat().st_size
    assert size < 300_000


def test_an_allowance_comes_back_with_time() -> None:
    allowance = Allowance(10, 2)
    assert allowance.take(START, 25) == 10
    assert allowance.take(START, 1) == 0
    assert allowance.take(START + 3_000_000_000, 25) == 6
    assert allowance.take(START + 900_000_000_000, 25) == 10


def test_late_wakes_that_are_left_out_still_count_as_late_wakes() -> None:
    storm = []
    for i in range(30):
        frame = a_frame(i, [])
        assert frame.writer is not None
        late = [replace(a_write(at(i) + k * 50_000, 20_000), planned_ns=at(i) - 5_000_000 + k) for k in range(100)]
        slow = [a_write(at(i) + k * 50_000, 2_000_000) for k in range(3)]
        stalls = (*late, *slow)
        storm.append(replace(frame, writer=replace(frame.writer, stalls=stalls, stall_count=len(stalls))))
    session = folded(thrifty(storm))
    assert session.losses[UNRECORDED_LATE_WAKES] > 2_000
    assert session.headline().late_wakes == 3_000
    assert session.headline().stalls == 90


def test_late_wakes_take_nothing_from_the_stalls_in_write_itself() -> None:
    frames = []
    for i in range(100):
        late = [replace(a_write(at(i) + k * 50_000, 20_000), planned_ns=at(i) - 5_000_000 + k) for k in range(40)]
        stalls = (*late, a_write(at(i) + 9_000_000, 2_000_000)) if i % 10 == 9 else tuple(late)
        events = tuple(TraceEvent(at(i), "sched_switch", 0) for _ in range(20))
        traces = tuple(StallTrace(write.planned_ns, write.planned_ns, write.end_ns, events) for write in stalls)
        frame = a_frame(i, list(stalls), traces=traces)
        assert frame.writer is not None
        frames.append(replace(frame, writer=replace(frame.writer, stalls=stalls, stall_count=len(stalls))))
    thrift = Thrift()
    kept = list(map(thrift.bounded, frames))
    described = [write for frame in kept if frame.writer is not None for write in frame.writer.stalls]
    slow = {write.planned_ns for write in described if write.service_ns > 1_000_000}
    traced = {trace.planned_ns for frame in kept for trace in frame.traces}
    assert len(slow) == 10
    assert traced >= slow
    assert len(described) <= 10 + 30 + 20
    assert len(traced) <= 10 + 40
    session = folded(kept)
    assert (session.headline().stalls, session.headline().late_wakes) == (10, 4_000)


def restless(count: int) -> Iterator[Frame]:
    """Ticks of a host so busy that its histograms have no two writes alike, with late wakes all the time."""
    dice = Random(1)
    for i in range(count):
        slots = [sorted(dice.sample(range(20_000), 300)) for _ in range(6)]
        histograms = tuple(
            HistogramDelta(span, kind, array("I", [n for bucket in slots.pop() for n in (bucket, 1)]).tobytes())
            for span in Span
            for kind in (WriteClass.IN_PAGE, WriteClass.NEW_PAGE)
        )
        noise = tuple(Disturbance("read", "/proc/zoneinfo", Thread(k), at(i), at(i) + 9, spent_ns=k) for k in range(9))
        frame = a_frame(i, [a_write(at(i), 1_000)], disturbances=noise)
        assert frame.writer is not None
        yield replace(frame, writer=replace(frame.writer, histograms=histograms))


def test_a_recording_that_grows_too_fast_becomes_thriftier_says_so_and_is_generous_again_later(tmp_path: Path) -> None:
    thrift = Thrift()
    store = Store(tmp_path / "a.wlat", {"compact": True}, durable=False, thrift=thrift)
    frames = list(map(thrift.bounded, restless(15 * BLOCK_FRAMES)))
    grown = []
    for start in range(0, len(frames), BLOCK_FRAMES):
        before = store.used_bytes
        store.append(frames[start : start + BLOCK_FRAMES])
        grown.append(store.used_bytes - before)
    assert grown[-1] < 0.65 * grown[0]
    assert within({"compact": True, "group": thrift.group}) in ("6.2 %", "12.5 %")
    store.append([a_frame(i, [a_write(at(i), 1_000)]) for i in range(len(frames), 2 * len(frames))])
    before = store.used_bytes
    store.append(frames[:BLOCK_FRAMES])
    assert store.used_bytes - before > 0.9 * grown[0]
    store.close()
    with Recording(tmp_path / "a.wlat") as recording:
        assert recording.facts["group"] == thrift.group > 64
