"""A plan is checked whole before anything starts; what is wrong is said in one sentence with its line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.experiment.plan import PlanError, find_plan, line_of, read_plan, shipped
from wlat_tui.loads import catalogue
from wlat_tui.loads.page_cache import PageCache

GOOD = """\
title = "A title"
question = "What?"
rounds = 2
phase = "5s"
warm-up = "1s"

[writer]
interval = "1ms"

[load.page-cache]
node = 1
size = "1G"

[[side]]
name = "off"
load = ["page-cache"]

[[side]]
name = "on"
load = ["page-cache", "slabinfo"]
set = { zone_reclaim_mode = 7, prewarm = "write" }
"""


def test_a_plan_is_read_whole() -> None:
    plan = read_plan("p", GOOD)
    assert (plan.title, plan.question, plan.rounds, plan.phase_ns, plan.phase_writes) == (
        "A title",
        "What?",
        2,
        5 * 10**9,
        None,
    )
    off, on = plan.sides
    assert off.loads == (PageCache(node=1, size_bytes=1 << 30),)
    assert [load.name for load in on.loads] == ["page-cache", "slabinfo"]
    assert on.toggles == {"zone_reclaim_mode": "7", "prewarm": "write"}
    assert plan.toggles == ("prewarm", "zone_reclaim_mode")
    assert plan.writer == {"interval": "1ms"}


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("rounds = 2", "rounds = = 2", 3, "not TOML"),
        ("rounds = 2", "rounds = 0", 3, "whole number from 1"),
        ("rounds = 2", "round = 2", 3, "'round' means nothing here"),
        ('phase = "5s"', 'phase = "5"', 4, "is not a duration"),
        ('phase = "5s"', 'phase = "5s"\nwrites = 5', 5, "either phase"),
        ('phase = "5s"', "", 21, "either phase"),
        ("node = 1", 'node = "one"', 11, "is not a node"),
        ("node = 1", "nod = 1", 11, "'nod' means nothing here"),
        ("[load.page-cache]", "[load.fork-bomb]", 10, "'fork-bomb' is not a load"),
        ('load = ["page-cache"]', 'load = "page-cache"', 16, "a list of names"),
        ('load = ["page-cache"]', 'load = ["cache"]', 16, "'cache' is not a load"),
        ('name = "on"', 'name = "off"', 19, "two sides named 'off'"),
        ('name = "on"', "", 18, "needs a name"),
        ("zone_reclaim_mode = 7", "zone_reclaim = 7", 21, "'zone_reclaim' is none of what can be set"),
        ("zone_reclaim_mode = 7", "drop_caches = 1", 21, "'drop_caches' is none of what can be set"),
        ("zone_reclaim_mode = 7", "zone_reclaim_mode = true", 21, "takes a text or a number"),
        ('interval = "1ms"', 'interval = ["1ms"]', 8, "takes a text or a number"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(before: str, after: str, line: int, words: str) -> None:
    assert before in GOOD
    with pytest.raises(PlanError) as said:
        read_plan("p.toml", GOOD.replace(before, after, 1))
    assert re.match(rf"p\.toml, line {line}: .*{re.escape(words)}", str(said.value)), said.value
    assert "\n" not in str(said.value)


def test_a_comparison_needs_two_different_sides() -> None:
    one = GOOD[: GOOD.rindex("[[side]]")]
    with pytest.raises(PlanError, match="line 14: a comparison needs 2 to 6 sides, this plan has 1"):
        read_plan("p", one)
    with pytest.raises(PlanError, match="line 18: side 'on' is the same as another one"):
        read_plan("p", one + '[[side]]\nname = "on"\nload = ["page-cache"]\n')


def test_the_plans_of_the_story_come_with_wlat() -> None:
    assert {"baseline", "zone_reclaim_mode", "prewarm", "slabinfo"} <= shipped().keys()
    for name in shipped():
        plan = find_plan(name)
        assert plan.title
        assert plan.question.endswith("?")
        assert plan.rounds >= 2


def test_a_file_that_is_not_there_or_not_text_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"no plan of that name comes with wlat \(baseline, "):
        find_plan("nothing")
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match="not text in UTF-8"):
        find_plan(str(tmp_path / "a.toml"))
    with pytest.raises(PlanError, match="cannot be read: Is a directory"):
        find_plan(str(tmp_path))


def test_the_line_of_a_missing_key_is_its_tables() -> None:
    assert line_of(GOOD, ("side", 1, "loud")) == 18
    assert line_of(GOOD, ("load", "page-cache", "loud")) == 10
    assert line_of("", ("side",)) == 1


@given(st.data())
def test_no_text_is_more_than_a_wrong_plan(data: st.DataObject) -> None:
    """Lines of a good plan lost, doubled, swapped and cut."""
    lines = GOOD.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        what = data.draw(st.sampled_from(["drop", "double", "cut", "replace"]))
        if what == "drop" and len(lines) > 1:
            del lines[at]
        elif what == "double":
            lines.insert(at, data.draw(st.sampled_from(lines)))
        elif what == "cut":
            lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
        else:
            lines[at] = data.draw(st.text(max_size=20))
    text = "\n".join(lines)
    said = None
    try:
        assert len(read_plan("p", text).sides) >= 2
    except PlanError as error:
        said = str(error)
    if said is not None:
        line = re.match(r"p, line (\d+): \S", said)
        assert line, said
        assert 1 <= int(line[1]) <= len(text.splitlines()) + 1


def test_every_load_says_what_it_does() -> None:
    for name, load in catalogue().items():
        assert load.name == name
        assert load.effect
