"""The session: windows recomputed from frames agree, losses and gaps are kept, memory is bounded."""

from __future__ import annotations

import math
from collections.abc import Sized
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.makers import SECOND, START, TICK, a_frame, a_mark, a_sample, a_tick, a_write, a_zone, at
from wlat_tui.frame import Frame, Settings, Span, WriteClass
from wlat_tui.model.percentiles import MOST_TICKS
from wlat_tui.model.series import CAPACITY, LEVELS
from wlat_tui.model.session import Session

services = st.lists(st.tuples(st.integers(1, 10**10), st.sampled_from(list(WriteClass))), max_size=6)
runs = st.lists(services, min_size=1, max_size=40)


def frames_of(run: list[list[tuple[int, WriteClass]]]) -> list[Frame]:
    return [a_frame(i, [a_write(at(i), ns, kind) for ns, kind in writes]) for i, writes in enumerate(run)]


def folded(frames: list[Frame], window_s: float = 10.0) -> Session:
    session = Session(window_s)
    for frame in frames:
        session.fold(frame)
    return session


def nearest_rank(values: list[int], fraction: float) -> int:
    return sorted(values)[max(1, math.ceil(fraction * len(values))) - 1]


@settings(max_examples=50, deadline=None)
@given(runs, st.sampled_from([0.2, 0.6, 1.0, 3.0, 10.0]))
def test_the_window_is_what_its_ticks_hold_and_nothing_else(run: list[list[tuple[int, WriteClass]]], window_s: float) -> None:
    session = folded(frames_of(run), window_s)
    kept = run[-round(window_s * 5) :]
    for write_class in (None, *WriteClass):
        values = [ns for writes in kept for ns, kind in writes if write_class in (None, kind)]
        seen = session.window(Span.SERVICE, write_class)
        if not values:
            assert seen is None
            continue
        assert seen is not None
        assert len(values) == seen.count
        assert nearest_rank(values, 0.5) == pytest.approx(seen.p50_ns, rel=1e-3, abs=1)
        assert nearest_rank(values, 0.9) == pytest.approx(seen.p90_ns, rel=1e-3, abs=1)
        assert max(values) == (seen.max_ns if seen.max_exact else pytest.approx(seen.max_ns, rel=1e-3, abs=1))
        assert seen.max_exact or write_class is not None


@settings(max_examples=30, deadline=None)
@given(runs)
def test_folding_is_deterministic_and_the_window_can_be_changed_at_any_time(run: list[list[tuple[int, WriteClass]]]) -> None:
    frames = frames_of(run)
    one, other = folded(frames, 1.0), folded(frames, 7.0)
    other.window_s = 1.0
    for span in Span:
        assert one.window(span) == other.window(span)
        assert one.whole(span) == other.whole(span)
        begin, end = one.started_ns, one.now_ns
        assert one.worst[span].columns(begin, end, 30) == other.worst[span].columns(begin, end, 30)
    assert one.headline() == other.headline()


def test_every_span_is_counted_in_its_own_histogram() -> None:
    session = folded([a_frame(0, [a_write(at(0), 5_000, wake_ns=700)])])
    assert [found.max_ns for span in Span if (found := session.window(span)) is not None] == [700, 5_000, 5_700]


def test_quantiles_that_so_few_writes_cannot_resolve_are_missing() -> None:
    session = folded([a_frame(0, [a_write(at(0), 5_000) for _ in range(99)])])
    few = session.window(Span.SERVICE)
    assert few is not None
    assert (few.p50_ns, few.p99_ns, few.p999_ns, few.p9999_ns) == (5_000, None, None, None)
    session.fold(a_frame(1, [a_write(at(1), 5_000) for _ in range(901)]))
    more = session.window(Span.SERVICE)
    assert more is not None
    assert (more.p99_ns, more.p999_ns, more.p9999_ns) == (5_000, 5_000, None)


def test_the_window_of_a_dead_engine_empties_and_the_whole_stays() -> None:
    session = folded([a_frame(0, [a_write(at(0), 9_000)])])
    for i in range(1, 60):
        session.fold(a_frame(i, None, writer_missing="the engine ended: killed"))
    assert session.window(Span.SERVICE) is None
    assert session.whole(Span.SERVICE) is not None
    assert session.rate_per_s is None
    assert session.writer_missing == "the engine ended: killed"
    assert session.headline().worst_now_ns is None
    (gap,) = session.gaps
    assert (START + TICK, session.now_ns, True) == (gap.begin_ns, gap.end_ns, gap.writer_only)


def test_a_frame_without_report_or_reason_is_no_gap() -> None:
    session = folded([a_frame(0, [a_write(at(0), 9_000)]), a_frame(1, None)])
    assert list(session.gaps) == []
    assert session.writer_missing is None


def test_a_hole_between_frames_is_a_gap() -> None:
    session = folded([a_frame(0), a_frame(10)])
    (gap,) = session.gaps
    assert (gap.begin_ns, gap.end_ns, gap.writer_only) == (START + TICK, START + 10 * TICK, False)


def test_a_stopped_engine_is_a_gap_and_not_a_stall() -> None:
    frame = a_frame(0, tick_ns=5 * SECOND)
    stopped = a_tick(1, frame.begin_ns, frame.end_ns, [a_write(at(0), 900)], gap_ns=4 * SECOND, gap_slots=20_000)
    session = folded([replace(frame, writer=stopped)])
    (gap,) = session.gaps
    assert (gap.end_ns - gap.begin_ns, session.stall_count) == (4 * SECOND, 0)


def test_a_full_disk_is_a_gap_with_the_reason() -> None:
    frame = a_frame(0)
    session = folded([replace(frame, writer=a_tick(1, frame.begin_ns, frame.end_ns, error=28, trouble=1, error_slots=1_000))])
    (gap,) = session.gaps
    assert gap.reason == "the writer could not write: No space left on device"
    assert session.error_slots == 1_000


def test_holes_in_the_reports_numbers_count_as_late_ticks_once() -> None:
    frames = [a_frame(0), a_frame(1), a_frame(2)]
    skipping = replace(frames[1], writer=a_tick(5, frames[1].begin_ns, frames[1].end_ns))
    assert folded([frames[0], skipping]).losses["late_ticks"] == 3
    counted = replace(skipping, losses={"late_ticks": 3})
    assert folded([frames[0], counted]).losses["late_ticks"] == 3


def test_a_restarted_engine_loses_nothing() -> None:
    frames = [a_frame(7), a_frame(8)]
    session = folded([frames[0], replace(frames[1], writer=a_tick(1, frames[1].begin_ns, frames[1].end_ns))])
    assert not session.losses


def test_missing_sections_keep_the_last_ones() -> None:
    asked = Settings(interval_ns=500_000)
    session = folded([a_frame(0, settings=asked, vmstat={"pgfault": 5}, nodes=(a_sample(1),)), a_frame(1), a_frame(2)])
    assert (asked, {"pgfault": 5}, 2_000.0) == (session.settings, session.vmstat, session.asked_rate_per_s)
    assert dict(session.vmstat_rates) == {}
    assert (session.host, session.pressure, session.cost) == (None, None, None)


def test_vmstat_rates_span_the_time_between_two_readings() -> None:
    session = folded([a_frame(0, vmstat={"pgfault": 0}), a_frame(1), a_frame(5, vmstat={"pgfault": 50})])
    assert session.vmstat_rates["pgfault"] == 50.0


def test_the_rate_is_of_the_last_second() -> None:
    session = folded([a_frame(i, [a_write(at(i), 10)] * (1 if i < 10 else 20)) for i in range(20)])
    assert session.rate_per_s == 100.0


def test_the_headline_names_worst_and_tightest() -> None:
    samples: dict[str, Any] = {"nodes": (a_sample(9_000), a_sample(2_500, node=1)), "zones": (a_zone(), a_zone(node=1))}
    session = folded([a_frame(0, [a_write(at(0), 70_000)], **samples), a_frame(1, [a_write(at(1), 10)])])
    headline = session.headline()
    assert headline.tightest is not None
    assert headline.worst_ever is not None
    assert (headline.worst_now_ns, headline.worst_ever.response_ns, headline.tightest.node) == (1_010, 71_000, 1)


def test_stalls_in_write_are_counted_apart_from_late_wakes() -> None:
    slow, late = a_write(at(0), 5_000_000), a_write(at(1), 2_000, wake_ns=3_000_000)
    ticks = [
        a_tick(i + 1, START + i * TICK, START + (i + 1) * TICK, [w], stalls=(w,), stall_count=1)
        for i, w in enumerate([slow, late, slow])
    ]
    headline = folded([replace(a_frame(i), writer=tick) for i, tick in enumerate(ticks)]).headline()
    assert (headline.stalls, headline.late_wakes) == (2, 1)


def test_a_report_that_is_old_says_nothing_about_now() -> None:
    session = folded([a_frame(0, [a_write(at(0), 70_000)]), *(a_frame(i, None) for i in range(1, 5))])
    assert session.writer_age_ns == 4 * TICK
    assert session.headline().worst_now_ns is None


def test_a_long_frame_does_not_pretend_that_the_nodes_were_watched_all_the_time() -> None:
    frames = [a_frame(0, nodes=(a_sample(9),)), replace(a_frame(49, nodes=(a_sample(9),)), begin_ns=START + TICK)]
    session = folded(frames)
    columns = session.memory[0].columns(START, session.now_ns, 50)
    assert [column.has_data for column in columns] == [True, *[False] * 47, True, True]


def test_a_late_report_does_not_reach_back_over_what_was_sampled_meanwhile() -> None:
    frames = [a_frame(i, None, nodes=(a_sample(9),)) for i in range(10)]
    late = replace(a_frame(10, nodes=(a_sample(4),)), begin_ns=START)
    session = folded([*frames, late])
    columns = session.memory[0].columns(START, session.now_ns, 11)
    assert [column.free_pages for column in columns] == [*[9] * 10, 4]


def test_before_the_first_frame_everything_is_missing() -> None:
    session = Session()
    assert (session.window(Span.SERVICE), session.rate_per_s, session.elapsed_ns) == (None, None, 0)
    assert (session.headline().worst_ever, session.headline().tightest, session.stall_count) == (None, None, 0)
    assert session.changes == []


@pytest.mark.parametrize("window_s", [0.1, 31.0, -1.0])
def test_a_window_that_is_not_kept_is_refused(window_s: float) -> None:
    session = Session()
    with pytest.raises(ValueError, match=r"choose 0\.2 to 30 s"):
        session.window_s = window_s


def test_a_day_of_frames_leaves_a_bounded_number_of_objects() -> None:
    session = Session()
    tick_ns = 10 * SECOND
    for i in range(24 * 360):
        writes = [a_write(at(i, tick_ns), 50_000 if i == 4_000 else 1_000)]
        tick = a_tick(2 * i + 1, START + i * tick_ns, START + (i + 1) * tick_ns, writes, stalls=tuple(writes), stall_count=1)
        sections: dict[str, Any] = {
            "nodes": (a_sample(5_000),),
            "marks": (a_mark(START + i * tick_ns, "note"),),
            "notices": ("x",),
        }
        session.fold(replace(a_frame(i, tick_ns=tick_ns, **sections), writer=tick))
        if i % 2:
            session.fold(a_frame(i, None, tick_ns, writer_missing=f"reason {i}"))
    kept: list[Sized] = [session.marks, session.notices, session.gaps, session.stalls]
    assert [len(things) for things in kept] == [1_000, 200, 1_000, 1_000]
    series_kept: list[Sized] = [*session.worst.values(), *session.memory.values()]
    assert all(len(series) <= CAPACITY * LEVELS for series in series_kept)
    assert session.stall_count == 24 * 360
    assert max(c.max_ns or 0 for c in session.worst[Span.SERVICE].columns(START, session.now_ns, 100)) == 50_000


@pytest.mark.parametrize("step_ns", [0, -TICK])
def test_in_a_file_whose_time_stands_still_or_runs_backwards_no_more_is_kept_than_of_any_other(step_ns: int) -> None:
    session, begin_ns = Session(), START + 10**15
    for i in range(3 * MOST_TICKS):
        at_ns = begin_ns + i * step_ns
        tick = a_tick(i + 1, at_ns, at_ns + TICK, [a_write(at_ns + 1_000, 1_000)])
        session.fold(Frame(at_ns, at_ns + TICK, at_ns, tick, nodes=(a_sample(1_000),)))
    window = session.window(Span.SERVICE)
    assert window is not None
    assert window.count <= len(session._latencies.recent) <= MOST_TICKS
    assert session.writes == [3 * MOST_TICKS, 0, 0]


def test_when_time_jumps_back_the_window_is_of_what_came_after() -> None:
    frames = [a_frame(i, [a_write(at(i), 1_000)]) for i in range(600)]
    session = Session()
    for frame in [*frames, *frames[:100]]:
        session.fold(frame)
    window = session.window(Span.SERVICE)
    assert window is not None
    assert window.count == 50
