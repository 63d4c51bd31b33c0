"""The catalogue: complete, explained, and turning choices and typed values into requests or one sentence."""

from __future__ import annotations

import errno
import tempfile
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mitigations.tree import SETTINGS, VM, make_tree
from wlat_tui.frame import Host, KnobState, Mode, NodeShape, Policy, Precursor, Prewarm, Settings
from wlat_tui.mitigations import Mitigation, catalogue, knobs
from wlat_tui.mitigations.zone_reclaim_mode import flip, label, reclaims_nothing
from wlat_tui.model.session import Session
from wlat_tui.sources import ChangeSettings, DropCaches, SetKnob

WRITER = ["pin", "policy", "prewarm", "fifo", "dma_latency", "mode"]
HOST = ["zone_reclaim_mode", "min_free_kbytes", "watermark_scale_factor", "thp", "thp_defrag", "compaction_proactiveness"]
HOST += ["swappiness", "dirty_background", "dirty_limit", "stat_interval"]
CATALOGUE = {mitigation.name: mitigation for mitigation in catalogue()}
EVERY = pytest.mark.parametrize("mitigation", CATALOGUE.values(), ids=CATALOGUE)


@dataclass
class Writer:
    """The fields of WriterTick that mitigations look at."""

    cpu: int = 1
    node: int = 1
    refused: dict[str, int] = field(default_factory=dict)
    precursor: Precursor = field(default_factory=lambda: Precursor(Prewarm.WRITE, 0, 1, 1, 0, None, None, 0))


@dataclass
class Fake:
    """The part of a session that mitigations read."""

    settings: Settings = field(default_factory=Settings)
    knobs: dict[str, KnobState] = field(default_factory=dict)
    host: Host | None = None
    writer: Writer | None = None


def host(mglru: str | None = None) -> Host:
    """Two nodes with CPUs and memory, and one of memory only."""
    nodes = tuple(NodeShape(n, cpus, {}, 16 << 30, True) for n, cpus in ((0, (0, 1)), (1, (2, 3)), (4, ())))
    return Host("h", "6.18", 4096, (0, 1, 2, 3), nodes, None, None, mglru, "root")


def session(**changes: Any) -> Session:
    """A session on that host with every knob read."""
    knob_states = {name: KnobState(VM.get(name, "madvise"), None) for name in knobs()}
    knob_states |= {
        "dirty_background": KnobState("ratio 10", None),
        "dirty_limit": KnobState("ratio 20", None),
        "drop_caches": KnobState(None, None),
    }
    return cast(Session, replace(Fake(knobs=knob_states, host=host(), writer=Writer()), **changes))


def asked(name: str, value: str, found: Session | None = None) -> Settings:
    """The settings that a request asks for."""
    request = CATALOGUE[name].request(value, found or session())
    assert isinstance(request, ChangeSettings)
    assert request.name == name
    return request.settings


def test_everything_is_listed_in_the_order_of_the_story() -> None:
    assert [mitigation.name for mitigation in catalogue()] == [*WRITER, *HOST, "drop_caches"]
    assert set(knobs()) == {*SETTINGS, "stat_interval", "function_listing"}


@EVERY
def test_each_explains_itself_and_names_the_source(mitigation: Mitigation) -> None:
    assert "ource: " in mitigation.why or ".c" in mitigation.why
    assert len(mitigation.expect) > 40
    assert mitigation.caution is None or mitigation.caution.endswith(".")
    assert len(mitigation.title) <= 20


@EVERY
def test_every_choice_becomes_a_request_and_says_exactly_what_it_does(mitigation: Mitigation) -> None:
    found = session()
    for choice in mitigation.choices(found):
        request = mitigation.request(choice.value, found)
        if isinstance(request, SetKnob):
            assert mitigation.knob is not None
            assert request == SetKnob(mitigation.knob.name, choice.value)
            assert choice.value.split()[-1] in choice.effect
            assert "/proc/sys/vm/" in choice.effect or "/sys/kernel/mm/" in choice.effect
        else:
            assert isinstance(request, ChangeSettings | DropCaches)
        assert choice.effect
        assert choice.label


@EVERY
def test_what_is_in_force_is_one_of_the_choices(mitigation: Mitigation) -> None:
    odd = Settings(cpus=(0, 3), policy=Policy.BIND, policy_nodes=(0, 1), fifo_priority=33, dma_latency_us=7)
    odd = replace(odd, prewarm=Prewarm.READ, prewarm_bytes=3 << 20)
    for wanted in (Settings(), odd, replace(odd, mode=Mode.SPIN)):
        found = session(settings=wanted)
        choices = [choice.value for choice in mitigation.choices(found)]
        if choices and mitigation.name != "drop_caches":
            assert mitigation.current(found) in choices
            assert len(set(choices)) == len(choices)


@EVERY
def test_before_the_first_frame_nothing_is_promised(mitigation: Mitigation) -> None:
    empty = cast(Session, Fake())
    mitigation.choices(empty)
    if mitigation.knob is not None:
        assert mitigation.current(empty) is None
        assert mitigation.unavailable(empty) is not None


@EVERY
def test_an_unavailable_knob_tells_the_reason_and_the_command(mitigation: Mitigation) -> None:
    name = mitigation.knob.name if mitigation.knob else mitigation.name
    found = session(knobs={name: KnobState("60", None, "only root may change kernel settings", "sudo wlat")})
    if mitigation.knob is not None or name == "drop_caches":
        why = mitigation.unavailable(found)
        assert why is not None
        assert (why.reason, why.fix) == ("only root may change kernel settings", "sudo wlat")


@EVERY
@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_anything_typed_is_a_request_or_one_sentence(mitigation: Mitigation, text: str) -> None:
    refusal = "fine"
    try:
        mitigation.request(text, session())
    except ValueError as error:
        refusal = str(error)
    assert refusal.isprintable()
    assert refusal


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("swappiness", " 10 ", "10"),
        ("swappiness", "original", None),
        ("thp_defrag", "defer+madvise", "defer+madvise"),
        ("dirty_background", "5%", "ratio 5"),
        ("dirty_background", "64M", "bytes 67108864"),
        ("dirty_limit", "bytes 1G", "bytes 1073741824"),
        ("dirty_limit", "ratio 30", "ratio 30"),
    ],
)
def test_typed_host_values_become_what_the_kernel_takes(name: str, typed: str, value: str | None) -> None:
    assert CATALOGUE[name].request(typed, session()) == SetKnob(name, value)


@pytest.mark.parametrize(
    ("name", "typed", "changes"),
    [
        ("pin", "any", {"cpus": ()}),
        ("pin", "0-1,3", {"cpus": (0, 1, 3)}),
        ("pin", "node 1", {"cpus": (2, 3)}),
        ("policy", "bind:1", {"policy": Policy.BIND, "policy_nodes": (1,)}),
        ("policy", "node 4", {"policy": Policy.BIND, "policy_nodes": (4,)}),
        ("policy", "interleave:0-1", {"policy": Policy.INTERLEAVE, "policy_nodes": (0, 1)}),
        ("policy", "default", {"policy": Policy.DEFAULT, "policy_nodes": ()}),
        ("prewarm", "write 32M", {"prewarm": Prewarm.WRITE, "prewarm_bytes": 32 << 20}),
        ("prewarm", "8M", {"prewarm_bytes": 8 << 20}),
        ("prewarm", "off", {"prewarm": Prewarm.OFF}),
        ("fifo", "50", {"fifo_priority": 50}),
        ("fifo", "off", {"fifo_priority": 0}),
        ("dma_latency", "0", {"dma_latency_us": 0}),
        ("mode", "spin", {"mode": Mode.SPIN}),
    ],
)
def test_typed_writer_values_change_those_settings_and_no_others(name: str, typed: str, changes: dict[str, Any]) -> None:
    assert asked(name, typed) == replace(Settings(), **changes)


@pytest.mark.parametrize(
    ("name", "typed", "sentence"),
    [
        ("pin", "7", "CPU 7 is not online here"),
        ("pin", "node 9", "there is no node 9 here"),
        ("pin", "node 4", "no CPU to run on"),
        ("pin", "", "give CPUs"),
        ("policy", "bind", "not a memory policy"),
        ("policy", "bind:9", "node 9 has no memory here"),
        ("policy", "prefer:0,1", "one node"),
        ("prewarm", "sometimes", "not a way to prewarm"),
        ("prewarm", "write 0", "more than 0"),
        ("fifo", "51", "from 1 to 50"),
        ("dma_latency", "-5", "not a latency"),
        ("mode", "nap", "sleep or spin"),
        ("stat_interval", "10", "shown only"),
        ("dirty_limit", "lots", "such as '10'"),
        ("drop_caches", "3", "only 1"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(name: str, typed: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CATALOGUE[name].request(typed, session())


def test_a_refusal_by_the_kernel_is_told_with_the_way_out() -> None:
    why = CATALOGUE["fifo"].unavailable(session(writer=Writer(refused={"fifo": 1})))
    assert why is not None
    assert why.refused, "it was asked for and may be asked for again, unlike what cannot be had"
    assert "CAP_SYS_NICE" in why.reason or "real-time" in why.reason
    assert why.fix
    assert CATALOGUE["fifo"].unavailable(session(writer=Writer(refused={"fifo": 0}))) is None


def test_prepared_pages_that_cannot_be_locked_are_told_apart_from_preparing_that_failed() -> None:
    unlocked = CATALOGUE["prewarm"].unavailable(session(writer=Writer(refused={"prewarm": errno.ENOMEM})))
    failed = CATALOGUE["prewarm"].unavailable(session(writer=Writer(refused={"prewarm": errno.EOPNOTSUPP})))
    assert unlocked is not None
    assert "locked in memory" in unlocked.reason
    assert "ulimit -l" in (unlocked.fix or "")
    assert failed is not None
    assert "cannot prepare" in failed.reason


def test_a_node_is_named_when_the_writer_is_pinned_to_all_of_it() -> None:
    assert CATALOGUE["pin"].current(session(settings=Settings(cpus=(2, 3)))) == "node 1"
    assert CATALOGUE["pin"].current(session(settings=Settings(cpus=(2,)))) == "2"


def test_a_value_set_by_someone_else_is_offered_too() -> None:
    choices = CATALOGUE["swappiness"].choices(session(knobs={"swappiness": KnobState("37", "41")}))
    assert {"37", "41"} <= {choice.value for choice in choices}


def test_min_free_kbytes_offers_nothing_above_its_ceiling() -> None:
    offered = [int(choice.value) for choice in CATALOGUE["min_free_kbytes"].choices(session())]
    assert offered == [67584, 135168, 270336]
    small = replace(host(), nodes=(NodeShape(0, (0,), {}, 1 << 30, True),))
    assert [choice.value for choice in CATALOGUE["min_free_kbytes"].choices(session(host=small))] == ["67584"]


@pytest.mark.parametrize(
    ("value", "mglru", "nothing"),
    [
        (1, "0x0007", True),
        (3, "0x0007", True),
        (5, "0x0007", True),
        (7, "0x0007", False),
        (6, "0x0001", False),
        (1, "0x0000", False),
        (1, None, False),
        (1, "y", False),
    ],
)
def test_with_the_multi_generational_lru_only_both_bits_together_reclaim(value: int, mglru: str | None, nothing: bool) -> None:
    assert reclaims_nothing(value, mglru) is nothing
    effects = {choice.value: choice.effect for choice in CATALOGUE["zone_reclaim_mode"].choices(session(host=host(mglru)))}
    assert ("reclaim nothing" in effects[str(value)]) is nothing
    assert "reclaim nothing" not in effects["0"]


def test_the_bits_of_zone_reclaim_mode_are_flipped_one_by_one() -> None:
    assert [label(value) for value in (0, 1, 3, 7)] == ["off", "reclaim", "reclaim+write", "reclaim+write+unmap"]
    assert flip("0", 4) == "4"
    assert flip("7", 2) == "5"
    assert flip("255", 1) == "6"
    assert flip(None, 1) is None


@pytest.mark.parametrize(
    ("name", "value", "safe"),
    [
        ("zone_reclaim_mode", "8", False),
        ("watermark_scale_factor", "9", False),
        ("watermark_scale_factor", "500", True),
        ("watermark_scale_factor", "501", False),
        ("min_free_kbytes", "67583", False),
        ("min_free_kbytes", "160000", True),
        ("min_free_kbytes", "160001", False),
        ("compaction_proactiveness", "101", False),
        ("dirty_limit", "ratio 4", False),
        ("dirty_limit", "ratio 10", False),
        ("dirty_limit", "ratio 61", False),
        ("dirty_limit", "bytes 67108863", False),
        ("dirty_limit", "bytes 20000000000", False),
        ("dirty_background", "ratio 20", False),
        ("dirty_background", "ratio 19", True),
        ("dirty_background", "ratio 0", False),
        ("dirty_background", "bytes 1000", False),
        ("dirty_background", "bytes 5000000000", False),
        ("thp", "inherit", False),
        ("swappiness", "201", False),
        ("swappiness", "010", False),
        ("swappiness", "\u0661", False),
    ],
)
def test_the_keeper_refuses_what_is_not_safe_on_this_host(tmp_path: Path, name: str, value: str, safe: bool) -> None:
    root = make_tree(tmp_path)
    knob = knobs()[name]
    refusal = knob.refuse(value, root, knob.read(root) or "")
    assert (refusal is None) is safe, refusal


def test_without_knowing_the_memory_of_any_node_min_free_kbytes_is_not_raised(tmp_path: Path) -> None:
    root = make_tree(tmp_path)
    for path in (*root.glob("sys/devices/system/node/*/meminfo"), root / "proc/meminfo"):
        path.unlink()
    assert "cannot be judged" in (knobs()["min_free_kbytes"].refuse("70000", root, "67584") or "")


@settings(deadline=None)
@given(st.integers(1000, 10**6), st.integers(1000, 10**6))
def test_a_raise_goes_up_by_a_tenth_at_most_and_arrives(now: int, goal: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        path = root / "proc/sys/vm/min_free_kbytes"
        path.parent.mkdir(parents=True)
        path.write_text(f"{now}\n")
        steps = [now, *(int(step) for step in knobs()["min_free_kbytes"].steps(str(goal), root))]
    assert steps[-1] == goal
    if goal > now:
        assert all(before < after <= before + max(1, before // 10) for before, after in pairwise(steps))
    else:
        assert len(steps) == 2


def test_a_ratio_of_zero_is_put_back_although_the_kernel_zeroes_the_partner_only_on_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[str, str]] = []
    monkeypatch.setattr("wlat_tui.mitigations.knob.put", lambda path, text: written.append((path.name, text)))
    root = make_tree(tmp_path)
    (root / "proc/sys/vm/dirty_ratio").write_text("0\n")
    (root / "proc/sys/vm/dirty_bytes").write_text("100000000\n")
    knobs()["dirty_limit"].write("ratio 0", root)
    assert written == [("dirty_ratio", "1"), ("dirty_ratio", "0")]


@pytest.mark.parametrize(("placed", "astray", "said"), [(32, 17, True), (32, 16, False), (32, 0, False), (None, None, False)])
def test_prepared_pages_on_another_node_than_the_writer_are_said(placed: int | None, astray: int | None, said: bool) -> None:
    ahead = replace(Writer().precursor, placed_pages=placed, astray_pages=astray)
    state = CATALOGUE["prewarm"].unavailable(session(writer=Writer(precursor=ahead)))
    assert (state is not None) is said
    if state is not None:
        assert state.refused, "it can still be switched off"
        assert "17 of 32 prepared pages looked at are not on node 1" in state.reason
