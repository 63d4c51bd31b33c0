"""Changing and putting back, on a host made of files: whatever happens in between, the bytes are the same in the end."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mitigations.tree import SETTINGS, contents, kernel, make_tree, vm
from wlat_tui import holding as holding_module
from wlat_tui.holding import Holding
from wlat_tui.mitigations import knob, knobs


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tree = make_tree(tmp_path / "host")
    for module in (knob, holding_module):
        monkeypatch.setattr(module, "put", kernel(tree))
    monkeypatch.setattr(holding_module, "STEP_PAUSE_S", 0.0)
    return tree


@pytest.fixture
def held(root: Path, tmp_path: Path) -> Holding:
    return Holding(root, tmp_path / "ledger")


def reopen(old: Holding) -> Holding:
    """What a new keeper finds when the old one was killed."""
    old.close()
    return Holding(old.root, old.directory)


@pytest.mark.parametrize(("name", "value"), SETTINGS.items())
def test_every_knob_is_changed_as_asked_and_put_back_to_the_same_bytes(held: Holding, name: str, value: str) -> None:
    before = contents(held.root)
    outcome = held.set(name, value)
    assert outcome.ok, outcome.message
    assert held.state()[name].current == value
    assert held.state()[name].original == knobs()[name].read(make_tree(held.root.parent / "untouched"))
    assert held.restore(name).ok
    assert contents(held.root) == before
    assert held.held == {}


def test_everything_is_put_back_in_reverse_order(held: Holding) -> None:
    before = contents(held.root)
    for name, value in SETTINGS.items():
        assert held.set(name, value).ok
    held.marks.clear()
    assert held.restore_all().ok
    assert contents(held.root) == before
    restored = [mark.name for mark in held.marks if mark.kind == "restored"]
    assert [name for name in restored if name != "min_free_kbytes"] == [n for n in reversed(SETTINGS) if n != "min_free_kbytes"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(sorted(SETTINGS)), st.integers(0, 2)), max_size=12))
def test_any_sequence_of_changes_and_restores_ends_where_it_began(moves: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:
        tree = make_tree(Path(temporary) / "host")
        patch.setattr(knob, "put", kernel(tree))
        patch.setattr(holding_module, "STEP_PAUSE_S", 0.0)
        before = contents(tree)
        holding = Holding(tree, Path(temporary) / "ledger")
        for name, move in moves:
            if move == 2:
                assert holding.restore(name).ok
            else:
                assert holding.set(name, SETTINGS[name] if move else str(holding.state()[name].original or SETTINGS[name])).ok
        assert holding.restore_all().ok
        assert contents(tree) == before
        holding.close()


class Killed(BaseException):
    """SIGKILL, as far as code in this process can feel it."""


def killed_at(position: int, patch: pytest.MonkeyPatch) -> list[int]:
    """Die just before, or just after, the n-th thing that outlives the process. Returns the counter."""
    count = [0]

    def mortal(does: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            for after in (False, True):
                result = does(*args, **more) if after else None
                count[0] += 1
                if count[0] == position:
                    raise Killed
            return result

        return call

    patch.setattr(knob, "put", mortal(knob.put))
    patch.setattr(os, "fsync", mortal(lambda _fd: None))  # hundreds of real ones would take a minute on a slow disk
    for name in ("rename", "unlink"):
        patch.setattr(os, name, mortal(getattr(os, name)))
    return count


@pytest.mark.parametrize(
    "names",
    [("thp", "min_free_kbytes"), ("min_free_kbytes", "thp"), ("dirty_background", "swappiness"), ("watermark_scale_factor",)],
)
def test_killed_at_any_step_of_any_change_the_next_start_puts_everything_back(held: Holding, names: tuple[str, ...]) -> None:
    before = contents(held.root)
    position, survived = 0, False
    while not survived:
        position += 1
        with pytest.MonkeyPatch.context() as patch:
            killed_at(position, patch)
            with suppress(Killed):
                for name in names:
                    held.set(name, "500" if name == "watermark_scale_factor" else SETTINGS[name])
                held.restore_all()
                survived = True
        held = reopen(held)
        assert held.acquire() is None
        assert not [mark for mark in held.marks if mark.kind == "foreign"], f"killed at {position}"
        assert contents(held.root) == before, f"killed at {position}"
        assert held.held == {}
    assert position > 10


def test_a_foreign_change_is_noticed_left_alone_and_reported_once(held: Holding) -> None:
    held.set("swappiness", "10")
    vm(held.root, "swappiness").write_text("33\n")
    state = held.state()["swappiness"]
    assert (state.current, state.original) == ("33", None)
    assert [(mark.kind, mark.before, mark.after) for mark in held.marks[1:]] == [("foreign", "10", "33")]
    held.state()
    assert len(held.marks) == 2
    assert held.restore_all().ok
    assert vm(held.root, "swappiness").read_text() == "33\n"


def test_a_change_that_meets_a_foreign_value_is_refused_once_and_then_takes_it_as_the_original(held: Holding) -> None:
    held.set("swappiness", "10")
    vm(held.root, "swappiness").write_text("33\n")
    first = held.set("swappiness", "20")
    assert not first.ok
    assert "something other than wlat" in first.message
    assert vm(held.root, "swappiness").read_text() == "33\n"
    assert held.set("swappiness", "20").ok
    assert held.state()["swappiness"].original == "33"
    held.restore_all()
    assert vm(held.root, "swappiness").read_text() == "33\n"


def test_after_a_kill_a_foreign_value_is_left_alone_and_the_rest_put_back(held: Holding) -> None:
    held.set("swappiness", "10")
    held.set("zone_reclaim_mode", "1")
    vm(held.root, "swappiness").write_text("33\n")
    held = reopen(held)
    held.acquire()
    assert vm(held.root, "swappiness").read_text() == "33\n"
    assert vm(held.root, "zone_reclaim_mode").read_text() == "0\n"
    assert {mark.name: mark.kind for mark in held.marks} == {"swappiness": "foreign", "zone_reclaim_mode": "restored"}


def test_one_half_of_a_pair_written_by_someone_else_is_foreign(held: Holding) -> None:
    held.set("dirty_limit", "bytes 4294967296")
    kernel(held.root)(vm(held.root, "dirty_ratio"), "30")
    assert held.restore("dirty_limit").ok
    assert held.state()["dirty_limit"].current == "ratio 30"


def test_what_the_kernel_makes_of_a_value_is_told_and_is_not_foreign(held: Holding) -> None:
    outcome = held.set("watermark_scale_factor", "500")
    assert outcome.ok
    assert "10 -> 400" in outcome.message
    assert "asked for 500" in outcome.message
    held.restore_all()
    assert vm(held.root, "watermark_scale_factor").read_text() == "10\n"
    assert not [mark for mark in held.marks if mark.kind == "foreign"]


def test_min_free_kbytes_moved_by_switching_huge_pages_comes_back_with_them(held: Holding) -> None:
    vm(held.root, "min_free_kbytes").write_text("70000\n")
    held.set("thp", "never")
    assert vm(held.root, "min_free_kbytes").read_text() == "19832\n"
    assert held.state()["min_free_kbytes"].original == "70000"
    assert held.restore("thp").ok
    assert vm(held.root, "min_free_kbytes").read_text() == "70000\n"
    assert held.held == {}


def test_a_refusal_by_the_kernel_leaves_nothing_behind(held: Holding, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _text: str) -> None:
        raise OSError(errno.EINVAL, "Invalid argument", str(path))

    monkeypatch.setattr(knob, "put", refuse)
    outcome = held.set("swappiness", "150")
    assert not outcome.ok
    assert "Invalid argument" in outcome.message
    assert held.held == {}
    assert sorted(os.listdir(held.directory)) == ["lock"]


def test_when_the_original_cannot_be_saved_nothing_is_changed(held: Holding, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(held.root)
    held.acquire()

    def full(*_args: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    outcome = held.set("swappiness", "10")
    assert not outcome.ok
    assert "cannot be saved" in outcome.message
    assert "No space left" in outcome.message
    assert contents(held.root) == before


def test_on_a_disk_that_filled_up_later_everything_is_put_back(held: Holding, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(held.root)
    held.set("swappiness", "10")
    held.set("thp", "never")

    def full(*_args: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "rename", full)
    assert not held.set("swappiness", "20").ok
    held.restore_all()
    assert contents(held.root) == before


def test_what_cannot_be_put_back_stays_in_the_ledger_for_the_next_time(held: Holding) -> None:
    held.set("swappiness", "10")
    vm(held.root, "swappiness").rename(held.root / "away")
    outcome = held.restore_all()
    assert not outcome.ok
    assert "is gone" in outcome.message
    (held.root / "away").rename(vm(held.root, "swappiness"))
    held = reopen(held)
    held.acquire()
    assert vm(held.root, "swappiness").read_text() == "60\n"


def test_a_setting_this_kernel_does_not_have_is_unavailable_and_cannot_be_set(held: Holding) -> None:
    vm(held.root, "zone_reclaim_mode").unlink()
    assert held.state()["zone_reclaim_mode"].unavailable == "this kernel has no vm.zone_reclaim_mode"
    assert held.state()["zone_reclaim_mode"].current is None
    assert not held.set("zone_reclaim_mode", "1").ok
    assert not vm(held.root, "zone_reclaim_mode").exists()


def test_a_shown_setting_is_never_written(held: Holding) -> None:
    assert held.state()["stat_interval"].current == "1"
    assert not held.set("stat_interval", "10").ok
    assert vm(held.root, "stat_interval").read_text() == "1\n"


def test_while_another_wlat_holds_the_lock_values_are_shown_and_nothing_is_changed(held: Holding) -> None:
    held.acquire()
    second = Holding(held.root, held.directory)
    before = contents(held.root)
    state = second.state()["swappiness"]
    assert state.current == "60"
    assert f"(pid {os.getpid()}, since" in (state.unavailable or "")
    for outcome in (second.set("swappiness", "10"), second.restore_all(), second.drop_caches()):
        assert not outcome.ok
        assert "another wlat" in outcome.message
    assert contents(held.root) == before
    held.close()
    assert second.set("swappiness", "10").ok


def test_a_damaged_ledger_stops_every_change_and_restores_nothing(held: Holding) -> None:
    held.set("swappiness", "10")
    path = next(held.directory.glob("originals-*"))
    path.write_bytes(path.read_bytes()[:-3])
    held = reopen(held)
    state = held.state()["swappiness"]
    assert state.current == "10"
    assert "is damaged" in (state.unavailable or "")
    assert state.fix == f"sudo rm {path}"
    assert not held.set("zone_reclaim_mode", "1").ok
    assert vm(held.root, "swappiness").read_text() == "10\n"


def test_after_a_reboot_nothing_is_restored(held: Holding) -> None:
    held.set("swappiness", "10")
    make_tree(held.root, "99999999-2222-3333-4444-555555555555")
    vm(held.root, "swappiness").write_text("45\n")
    held = reopen(held)
    held.acquire()
    assert vm(held.root, "swappiness").read_text() == "45\n"
    assert held.marks == []
    assert any("reboot" in note for note in held.notes)


def test_a_raise_of_min_free_kbytes_goes_in_steps_and_can_be_broken_off(root: Path, tmp_path: Path) -> None:
    waits = iter([False, False, True])
    holding = Holding(root, tmp_path / "ledger", lambda _seconds: next(waits))
    outcome = holding.set("min_free_kbytes", "150000")
    assert not outcome.ok
    assert "broken off" in outcome.message
    assert 67584 < int(vm(root, "min_free_kbytes").read_text()) < 100_000
    assert holding.restore_all().ok
    assert vm(root, "min_free_kbytes").read_text() == "67584\n"


def test_dropping_caches_writes_1_and_is_marked(held: Holding) -> None:
    assert held.drop_caches().ok
    assert vm(held.root, "drop_caches").read_text() == "1\n"
    assert held.marks[-1].name == "drop_caches"
