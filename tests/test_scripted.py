"""The scripted source: deterministic, labelled as made up, answering requests like a live one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from wlat_tui.evidence import StallTrace, TraceLevel
from wlat_tui.frame import Frame, Prewarm, Settings, Span, WriteClass
from wlat_tui.mitigations import knobs
from wlat_tui.model.session import Session
from wlat_tui.sources import ChangeSettings, DropCaches, ReadZones, SetKnob
from wlat_tui.sources.scripted import START_NS, START_WALL_NS, Scenario, ScriptedSource
from wlat_tui.sources.scripted_evidence import MONITOR

SECOND = 1_000_000_000


def frames(source: ScriptedSource, count: int) -> list[Frame]:
    return [source.next_frame() for _ in range(count)]


def fold(source: ScriptedSource, count: int, session: Session | None = None) -> Session:
    session = session or Session()
    for frame in frames(source, count):
        session.fold(frame)
    return session


def fold_with_traces(source: ScriptedSource, count: int) -> tuple[Session, list[StallTrace]]:
    session, traces = Session(), []
    for frame in frames(source, count):
        session.fold(frame)
        traces += frame.traces
    return session, traces


async def test_it_says_that_it_is_not_this_host() -> None:
    assert "not this host" in ScriptedSource().description


@pytest.mark.parametrize(
    "scenario",
    ["story", "normal", "below_min", "degraded", "blind", "trouble", "gap", "no_writer", "many_nodes", "inflight", "told"],
)
async def test_each_scenario_is_the_same_every_time_and_time_goes_forward(scenario: Scenario) -> None:
    one = frames(ScriptedSource(7, scenario, realtime=False), 90)
    assert one == frames(ScriptedSource(7, scenario, realtime=False), 90)
    assert (one[0].begin_ns, one[0].wall_ns - (one[0].end_ns - START_NS)) == (START_NS, START_WALL_NS)
    assert all(a.end_ns <= b.begin_ns < b.end_ns for a, b in pairwise(one))


async def test_another_seed_is_another_run() -> None:
    assert frames(ScriptedSource(1), 30) != frames(ScriptedSource(2), 30)


async def test_counts_histograms_and_worst_of_a_tick_agree() -> None:
    session = Session()
    for frame in frames(ScriptedSource(scenario="story"), 130):
        session.fold(frame)
        for write_class in WriteClass:
            whole = session.whole(Span.SERVICE, write_class)
            assert session.writes[write_class] == (whole.count if whole is not None else 0)
    assert sum(session.writes) == pytest.approx(26 * 5_000, abs=200)


async def test_pressure_makes_stalls_and_prewarming_takes_them_away() -> None:
    source = ScriptedSource(scenario="story")
    session = fold(source, 200)
    assert session.nodes[1].state in ("between", "below low")
    worst = session.worst_window(Span.RESPONSE)
    assert worst is not None
    assert 10_000_000 < worst.response_ns < 45_000_000
    assert (await source.apply(ChangeSettings(Settings(prewarm=Prewarm.WRITE), "prewarm", "prewarm write"))).ok
    fold(source, 150, session)
    calm = session.worst_window(Span.RESPONSE)
    assert calm is not None
    assert calm.response_ns < 30_000
    (change,) = session.changes
    assert change.enough
    assert change.pages_before is not None
    assert change.pages_after is not None
    assert (change.pages_after.p99_ns or 0) * 10 < (change.pages_before.p99_ns or 0)


async def test_zone_reclaim_mode_spares_the_other_node_and_shortens_stalls() -> None:
    source = ScriptedSource(scenario="story")
    session = fold(source, 120)
    assert (await source.apply(SetKnob("zone_reclaim_mode", "1"))).ok
    fold(source, 20, session)
    before = session.nodes[0].free_pages
    fold(source, 100, session)
    assert before is not None
    assert before == pytest.approx(session.nodes[0].free_pages, rel=0.01)
    worst = session.worst_window(Span.SERVICE)
    assert worst is not None
    assert 10_000_000 <= worst.service_ns <= 15_000_000


async def test_a_knob_keeps_its_original_until_it_is_given_back() -> None:
    source = ScriptedSource()
    session = fold(source, 1)
    assert session.knobs["swappiness"].original is None
    await source.apply(SetKnob("swappiness", "10"))
    await source.apply(SetKnob("swappiness", "20"))
    fold(source, 1, session)
    changed = session.knobs["swappiness"]
    assert (changed.current, changed.original) == ("20", "60")
    await source.apply(SetKnob("swappiness", None))
    fold(source, 1, session)
    assert (session.knobs["swappiness"].current, session.knobs["swappiness"].original) == ("60", None)
    assert [mark.kind for mark in session.marks] == ["applied", "applied", "restored"]


async def test_watermark_knobs_move_the_watermarks_in_the_next_frame() -> None:
    source = ScriptedSource()
    session = fold(source, 1)
    before = session.nodes[1].low_pages
    await source.apply(SetKnob("min_free_kbytes", "901120"))
    fold(source, 1, session)
    assert before is not None
    assert (session.nodes[1].low_pages or 0) > 5 * before


async def test_zones_are_read_rarely_and_on_request() -> None:
    source = ScriptedSource()
    read = [frame.zones is not None for frame in frames(source, 40)]
    assert [i for i, seen in enumerate(read) if seen] == [0]
    await source.apply(ReadZones())
    assert source.next_frame().zones is not None


async def test_dropping_caches_frees_memory() -> None:
    source = ScriptedSource(scenario="story")
    session = fold(source, 120)
    before = session.nodes[1].free_pages
    assert (await source.apply(DropCaches())).ok
    fold(source, 1, session)
    assert before is not None
    assert (session.nodes[1].free_pages or 0) > before + 500_000


async def test_settings_are_honoured_from_the_next_frame_on() -> None:
    source = ScriptedSource()
    session = fold(source, 1)
    new = replace(session.settings, interval_ns=1_000_000, tick_ns=500_000_000, cpus=(3,))
    await source.apply(ChangeSettings(new, "pin", "pin to CPU 3"))
    fold(source, 4, session)
    assert session.writer is not None
    assert (session.writer.end_ns - session.writer.begin_ns, session.writer.cpu, session.writer.node) == (500_000_000, 3, 0)
    assert pytest.approx(sum(session.writer.writes), abs=2) == 500
    assert [(mark.before, mark.after) for mark in session.marks] == [("200000", "1000000")]


async def test_every_write_counts_at_a_hundred_thousand_a_second() -> None:
    source = ScriptedSource(scenario="normal", settings=Settings(interval_ns=10_000))
    session = fold(source, 5)
    assert pytest.approx(sum(session.writes), abs=100) == 100_000


async def test_without_root_requests_are_refused_with_a_reason_and_a_fix() -> None:
    source = ScriptedSource(scenario="degraded", settings=Settings(fifo_priority=10))
    session = fold(source, 2)
    assert not (await source.apply(SetKnob("swappiness", "10"))).ok
    assert not (await source.apply(DropCaches())).ok
    assert all(knob.unavailable and knob.fix for knob in session.knobs.values())
    assert session.writer is not None
    assert session.writer.refused["fifo"] == 1
    assert session.pressure is None
    assert session.notices


async def test_the_demo_host_has_every_knob_of_the_catalogue() -> None:
    session = fold(ScriptedSource(), 1)
    assert {*knobs(), "drop_caches"} == set(session.knobs)


async def test_every_stall_has_its_kernel_events_and_the_reader_of_slabinfo_is_named() -> None:
    session, traces = fold_with_traces(ScriptedSource(), 200)
    assert session.tracer is not None
    assert session.tracer.level is TraceLevel.FULL
    assert {stall.planned_ns for stall in session.stalls} == {trace.planned_ns for trace in traces}
    for trace in traces:
        times = [event.at_ns for event in trace.events]
        assert times == sorted(times)
        assert trace.from_ns < times[0] < times[-1] < trace.to_ns
    readers = {d.by.comm for d in session.disturbances if d.what == "/proc/slabinfo"}
    assert readers == {MONITOR.comm}
    locked = [t for t in traces if any("buffer_head" in e.texts.get("lock", "") for e in t.events)]
    assert locked
    for trace in locked:
        assert any(d.by is MONITOR and d.begin_ns < trace.events[0].at_ns < d.end_ns for d in session.disturbances)


async def test_the_deep_trace_arms_what_is_on_request_only() -> None:
    source = ScriptedSource(scenario="normal")
    session = fold(source, 1)
    assert session.tracer is not None
    assert not any(probe.armed for probe in session.tracer.probes if probe.deep)
    await source.apply(ChangeSettings(Settings(deep_trace=True), "deep_trace", "deep trace"))
    fold(source, 1, session)
    assert session.tracer.deep
    assert all(probe.armed for probe in session.tracer.probes)


async def test_without_root_only_switches_are_seen_and_nobody_is_named() -> None:
    session, traces = fold_with_traces(ScriptedSource(scenario="blind"), 200)
    assert session.tracer is not None
    assert session.tracer.fix
    assert any(not watch.armed and watch.fix for watch in session.watches or ())
    names = {event.name for trace in traces for event in trace.events}
    assert names <= {"switch_in", "switch_out", "switch_out_preempted"}
    assert all(d.own or d.kind in ("cpu", "preempted") for d in session.disturbances)


async def test_nonsense_is_refused() -> None:
    source = ScriptedSource()
    assert not (await source.apply(SetKnob("no_such_knob", "1"))).ok
    assert not (await source.apply(SetKnob("zone_reclaim_mode", "many"))).ok
    assert not (await source.apply(ChangeSettings(Settings(interval_ns=1), "interval", "1 ns"))).ok
    assert source.next_frame().marks == ()
    with pytest.raises(ValueError, match="choose 1 to 64"):
        ScriptedSource(nodes=65)
    with pytest.raises(ValueError, match="is not a scenario"):
        ScriptedSource(scenario="nonsense")  # type: ignore[arg-type]


async def test_below_min_is_below_min() -> None:
    assert fold(ScriptedSource(scenario="below_min"), 10).nodes[1].state == "below min"


async def test_a_full_disk_stops_writes_and_clears_again() -> None:
    source = ScriptedSource(scenario="trouble")
    session = fold(source, 50)
    assert session.writer is not None
    assert (session.writer.trouble, session.writer.error, sum(session.writer.writes)) == (1, 28, 0)
    fold(source, 300, session)
    assert (session.writer.trouble, sum(session.writer.writes) > 900) == (0, True)
    assert session.error_slots == pytest.approx(60 * 5_000, abs=50)


async def test_a_stopped_engine_and_a_suspended_host_are_two_gaps() -> None:
    session = fold(ScriptedSource(scenario="gap"), 100)
    assert [(gap.end_ns - gap.begin_ns, gap.writer_only) for gap in session.gaps] == [(3 * SECOND, True), (4 * SECOND, False)]
    assert session.stall_count == 0


async def test_a_stuck_write_grows_in_flight() -> None:
    session = fold(ScriptedSource(scenario="inflight"), 100)
    assert (session.headline().inflight_ns or 0) > 14 * SECOND
    assert session.rate_per_s == 0


async def test_without_a_writer_nodes_are_still_shown() -> None:
    session = fold(ScriptedSource(scenario="no_writer"), 5)
    assert session.writer is None
    assert session.writer_missing
    assert {0, 1} == session.nodes.keys()


async def test_many_nodes_have_a_memoryless_one() -> None:
    session = fold(ScriptedSource(scenario="many_nodes"), 2)
    assert len(session.nodes) == 64
    assert [number for number, node in session.nodes.items() if node.empty] == [5]


async def test_the_told_story_toggles_by_itself() -> None:
    session = fold(ScriptedSource(scenario="told"), 700)
    assert [mark.kind for mark in session.marks] == ["applied", "restored", "applied"]


async def test_frames_end_at_the_count_but_the_source_stays_open_until_closed() -> None:
    source = ScriptedSource(realtime=False, stop_after=3)
    seen: list[Frame] = []

    async def read() -> None:
        async for frame in source.frames():
            seen.append(frame)

    reader = asyncio.create_task(read())
    while len(seen) < 3:
        await asyncio.sleep(0.001)
    assert not reader.done()
    await source.close()
    await source.close()
    await asyncio.wait_for(reader, 10)
    assert len(seen) == 3


async def test_in_real_time_it_waits_for_each_tick_and_close_ends_the_wait() -> None:
    source = ScriptedSource(settings=Settings(tick_ns=10 * SECOND))
    reader = asyncio.create_task(anext(aiter(source.frames()), None))
    await asyncio.sleep(0.05)
    assert not reader.done()
    await source.close()
    assert await asyncio.wait_for(reader, 5) is None


async def test_speed_shortens_the_wait() -> None:
    source = ScriptedSource(speed=1_000.0, settings=Settings(tick_ns=10 * SECOND))
    frame = await asyncio.wait_for(anext(aiter(source.frames())), 10)
    assert frame.end_ns - frame.begin_ns == 10 * SECOND
    await source.close()
