"""The listing of functions: made and removed like any other setting, cut to one write, offered with its price."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.model.makers import a_tick
from wlat_tui.frame import Frame, KnobState, Settings
from wlat_tui.holding import Holding
from wlat_tui.listing import COST, LONGEST_BYTES, LONGEST_LINES, NAME, FunctionListing, cut
from wlat_tui.mitigations.deep_trace import DeepTrace
from wlat_tui.model.session import Session
from wlat_tui.sources import ChangeSettings, SetKnob

TEXT = b"""# tracer: function_graph
#
#     TIME        CPU  DURATION                  FUNCTION CALLS
#      |          |     |   |                     |   |   |   |
   12.000001 |   0)               |  vfs_write() {
   12.000002 |   0)   0.211 us    |    generic_perform_write();
   12.000900 |   0)   899.1 us    |  }
   13.000000 |   0)   0.100 us    |  vfs_write();
"""
CALLS = b"""#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
     wlat-writer-345     [000] .....    12.000010: vfs_write <-ksys_write
     wlat-writer-345     [000] d..1.    12.000500: queued_spin_lock_slowpath <-_raw_spin_lock
"""
US = 1_000


def kernel(root: Path, tracers: str = "function_graph function nop") -> Path:
    """A tracefs whose instances come up empty: every file of one is missing."""
    top = root / "sys/kernel/tracing"
    (top / "instances").mkdir(parents=True)
    (top / "available_tracers").write_text(f"{tracers}\n")
    (root / "proc/77").mkdir(parents=True)
    (root / "proc/77/comm").write_text("wlat-writer\n")
    (root / "proc/78").mkdir()
    (root / "proc/78/comm").write_text("passwd\n")
    return top


def test_the_calls_of_one_write_are_cut_out() -> None:
    second = 1_000_000 * US
    listed = cut(TEXT.splitlines(True), 12 * second, 12 * second + 900 * US).splitlines()
    assert [line.partition("|")[2].strip() for line in listed] == [
        "0)               |  vfs_write() {",
        "0)   0.211 us    |    generic_perform_write();",
        "0)   899.1 us    |  }",
    ]
    assert cut(TEXT.splitlines(True), 0, second) == ""
    assert cut(CALLS.splitlines(True), 12 * second, 12 * second + 20 * US).split()[-2:] == ["vfs_write", "<-ksys_write"]


def test_a_long_listing_is_bounded_and_says_so() -> None:
    lines = [b"   12.%06d |   0)   0.100 us    |  f();\n" % at for at in range(LONGEST_LINES + 5)]
    listed = cut(lines, 0, 2**62).splitlines()
    assert len(listed) == LONGEST_LINES + 1
    assert listed[-1] == "... and more"
    assert len(cut([b"   12.000000 | " + b"x" * 60_000], 0, 2**62)) < LONGEST_BYTES


@given(st.lists(st.binary(max_size=60), max_size=20), st.integers(0, 2**62), st.integers(0, 2**62))
def test_no_text_is_too_strange_to_be_cut(lines: list[bytes], from_ns: int, to_ns: int) -> None:
    assert isinstance(cut(lines, from_ns, to_ns), str)


def test_only_a_writer_of_wlat_can_be_listed_and_only_where_the_kernel_can(tmp_path: Path) -> None:
    knob, top = FunctionListing(), kernel(tmp_path)
    assert knob.read(tmp_path) == "off"
    assert knob.refuse("77", tmp_path, "off") is None
    for value in ("78", "79", "0", "../77", "on", ""):
        assert "thread id of a wlat writer" in (knob.refuse(value, tmp_path, "off") or "")
    (top / "available_tracers").write_text("blk nop\n")
    assert "built without function tracing" in (knob.refuse("77", tmp_path, "off") or "")
    assert knob.read(tmp_path / "elsewhere") is None


def test_a_kernel_that_refuses_half_way_is_left_as_it_was(tmp_path: Path) -> None:
    top = kernel(tmp_path)
    holding = Holding(tmp_path, tmp_path / "ledger")
    (tmp_path / "proc/sys/kernel/random").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("01234567-89ab-cdef-0123-456789abcdef\n")
    outcome = holding.set(NAME, "77")
    assert not outcome.ok
    assert "function listing" in outcome.message
    assert os.listdir(top / "instances") == []
    assert not holding.held
    holding.close()


def test_what_a_killed_keeper_left_is_removed_by_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    top = kernel(tmp_path)
    (tmp_path / "proc/sys/kernel/random").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/random/boot_id").write_text("01234567-89ab-cdef-0123-456789abcdef\n")

    def make(_self: FunctionListing, instance: Path, tid: str) -> None:
        instance.mkdir()
        (instance / "set_ftrace_pid").write_text(f"{tid}\n")

    monkeypatch.setattr(FunctionListing, "_make", make)
    monkeypatch.setattr(Path, "rmdir", lambda path: (os.unlink(path / "set_ftrace_pid"), os.rmdir(path)))
    first = Holding(tmp_path, tmp_path / "ledger")
    assert first.set(NAME, "77").ok
    assert first.state()[NAME].current == "77"
    first.close()  # without putting anything back, as a kill does
    second = Holding(tmp_path, tmp_path / "ledger")
    assert second.acquire() is None
    assert second.state()[NAME].current == "off"
    assert os.listdir(top / "instances") == []
    second.close()


def folded(current: str | None, settings: Settings) -> Session:
    session = Session()
    tick = replace(a_tick(1, 0, 9), tid=77)
    session.fold(Frame(0, 9, 9, tick, settings=settings, knobs={NAME: KnobState(current, None)}))
    return session


def test_looking_closer_is_one_choice_of_three() -> None:
    deep, as_always = DeepTrace(), folded("off", Settings())
    assert deep.current(as_always) == "off"
    assert deep.request("functions", as_always) == SetKnob(NAME, "77")
    events = deep.request("events", as_always)
    assert isinstance(events, ChangeSettings)
    assert events.settings.deep_trace
    assert deep.current(folded("77", Settings())) == "functions"
    assert deep.request("off", folded("77", Settings())) == SetKnob(NAME, None)
    assert deep.current(folded("off", Settings(deep_trace=True))) == "events"
    assert COST in deep.caution
    with pytest.raises(ValueError, match="not one of"):
        deep.request("everything", as_always)
