"""Settings that change and were not changed by this wlat."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mitigations.tree import THP, make_tree, vm
from wlat_tui.frame import KnobState
from wlat_tui.keeper_client import ReadOnlyKnobs
from wlat_tui.mitigations import knobs
from wlat_tui.sources.elsewhere import ChangesElsewhere


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "root")


async def seen(changes: ChangesElsewhere, root: Path) -> list[tuple[str, str | None, str | None, str]]:
    states = await ReadOnlyKnobs("only looking", root=root).state()
    return [(mark.name, mark.before, mark.after, mark.text) for mark in changes.marks(states, ())]


async def test_what_somebody_else_changes_is_said_once(root: Path) -> None:
    changes = ChangesElsewhere()
    assert await seen(changes, root) == []
    vm(root, "swappiness").write_text("33\n")
    text = "vm.swappiness was changed from 60 to 33 by something other than this wlat"
    assert await seen(changes, root) == [("swappiness", "60", "33", text)]
    assert await seen(changes, root) == []


@pytest.mark.parametrize("at_once", [True, False], ids=["one look", "between two looks"])
async def test_a_reserve_that_moves_with_huge_pages_is_said_to_move_with_them(root: Path, at_once: bool) -> None:
    changes = ChangesElsewhere()
    await seen(changes, root)
    (root / THP / "enabled").write_text("[always] madvise never\n")
    if not at_once:
        assert [name for name, *_ in await seen(changes, root)] == ["thp"]
    vm(root, "min_free_kbytes").write_text("90112\n")
    said = {name: text for name, _, _, text in await seen(changes, root)}
    assert said["min_free_kbytes"] == (
        "vm.min_free_kbytes was changed from 67584 to 90112 by something other than this wlat (the kernel moves it with "
        f"/{THP}/enabled, which went from madvise to always)"
    )
    vm(root, "min_free_kbytes").write_text("12288\n")
    await seen(changes, root)
    vm(root, "min_free_kbytes").write_text("11264\n")
    ((_, _, _, later),) = await seen(changes, root)
    assert "the kernel moves it" not in later


def test_what_wlat_holds_holds_no_longer_or_has_told_is_left_to_the_keeper() -> None:
    changes = ChangesElsewhere()
    for state in (KnobState("60", None), KnobState("10", "60"), KnobState("60", None)):
        assert changes.marks({"swappiness": state}, ()) == []
    assert changes.marks({"swappiness": KnobState("33", None)}, {"swappiness"}) == []


def test_a_setting_that_cannot_be_read_for_a_moment_has_not_changed() -> None:
    changes = ChangesElsewhere()
    for value in ("60", None, "60"):
        assert changes.marks({name: KnobState(value, None) for name in knobs()}, ()) == []
