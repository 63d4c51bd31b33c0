"""The trace follows the Trace Event Format, as ui.perfetto.dev reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.exports.makers import WHOLE, a_recording, exported
from wlat_tui.frame import Span
from wlat_tui.model.session import Session

NEEDED = {"X": {"dur", "tid"}, "C": {"args"}, "i": {"s"}, "M": {"args"}, "b": {"id", "cat"}, "e": {"id", "cat"}}


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    trace = json.loads(exported(a_recording(tmp_path_factory.mktemp("perfetto")), "perfetto"))
    assert trace["displayTimeUnit"] == "ns"
    found = trace["traceEvents"]
    assert isinstance(found, list)
    return found


def test_every_event_has_what_its_phase_needs(events: list[dict[str, Any]]) -> None:
    for event in events:
        assert NEEDED[event["ph"]] <= event.keys()
        assert event["pid"] == 1
        assert isinstance(event["name"], str)
        if event["ph"] != "M":
            assert event["ts"] > 0
    assert {event["ph"] for event in events} == {"X", "C", "i", "M", "b", "e"}


def test_slices_of_a_track_lie_in_each_other_or_apart(events: list[dict[str, Any]]) -> None:
    slices = [(round(1e3 * e["ts"]), -round(1e3 * e["dur"]), e) for e in events if e["ph"] == "X"]
    ends: list[int] = []
    for begin, length, _ in sorted(slices, key=lambda each: each[:2]):
        while ends and ends[-1] <= begin:
            ends.pop()
        end = begin - length
        assert not ends or end <= ends[-1]
        ends.append(end)
    assert len(ends) <= 2


def test_each_stall_is_a_slice_of_its_length(events: list[dict[str, Any]]) -> None:
    session = Session()
    for frame in WHOLE:
        session.fold(frame)
    stalls = [event for event in events if event.get("cat") == "stall"]
    told = {write.planned_ns for frame in WHOLE if frame.writer for write in frame.writer.stalls}
    assert len(stalls) == len(session.explained) <= len(told)
    assert len(stalls) > 10
    longest = max(explained.verdict.span_ns for explained in session.explained)
    assert max(event["dur"] for event in stalls) == pytest.approx(longest / 1e3)


def test_suspects_begin_and_end_and_counters_hold_the_worst_of_each_tick(events: list[dict[str, Any]]) -> None:
    begun = {event["id"]: event["ts"] for event in events if event["ph"] == "b"}
    ended = {event["id"]: event["ts"] for event in events if event["ph"] == "e"}
    assert begun.keys() == ended.keys()
    assert all(ended[number] >= ts for number, ts in begun.items())
    assert len(begun) == sum(len(frame.disturbances) for frame in WHOLE)
    worst = [event["args"]["value"] for event in events if event["ph"] == "C" and event["name"] == "worst write, us"]
    exact = [write.service_ns for frame in WHOLE if frame.writer and (write := frame.writer.worst[Span.SERVICE])]
    assert max(worst) == max(exact) / 1e3
    assert {e["name"] for e in events if e["ph"] == "C"} == {
        "worst write, us",
        "node 0 headroom, MiB",
        "node 1 headroom, MiB",
    }


def test_a_trace_of_a_span_is_whole_too(tmp_path: Path) -> None:
    trace = json.loads(exported(a_recording(tmp_path), "perfetto", "--from", "20s", "--to", "21s"))
    assert any(event["name"] == "process_name" for event in trace["traceEvents"])
