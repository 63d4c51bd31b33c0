"""What is said about two sides, and when nothing is said."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from tests.compare.makers import a_side
from tests.model.makers import SECOND, START, a_frame, a_write
from tests.sessions.makers import scripted
from wlat_tui.compare.comparison import Comparison, Figure, Outcome, compare
from wlat_tui.compare.side import MOST_BLOCKS, Side, grouped, total
from wlat_tui.frame import Frame, Host, KnobState, Prewarm, Settings, Span, WriteClass


def figure(comparison: Comparison, population: str, name: str) -> Figure:
    (found,) = (p for p in comparison.populations if p.name == population)
    return next(each for each in found.figures if each.name == name)


def test_a_faster_side_is_called_better_and_the_ratio_holds_the_truth() -> None:
    dice = Random(1)
    comparison = compare(a_side("off", dice, 120), a_side("on", dice, 120, slower=0.5))
    assert comparison.verdict.outcome is Outcome.BETTER
    assert comparison.verdict.sentence.startswith("on is better than off in p50")
    p50 = figure(comparison, "page-beginning", "p50")
    assert p50.ratio_interval is not None
    assert p50.ratio_interval.holds(0.5)
    assert p50.ratio_interval.high < 0.6
    assert any("0.5" in reason and "p50" in reason for reason in comparison.verdict.reasons)


def test_more_stalls_are_called_worse() -> None:
    dice = Random(2)
    comparison = compare(a_side("off", dice, 300, stalls=0.001), a_side("on", dice, 300, stalls=0.006))
    assert comparison.verdict.outcome is Outcome.WORSE
    stalls = comparison.stalls[0]
    assert stalls.judged
    assert stalls.ratio_interval is not None
    assert stalls.ratio_interval.low > 1.5
    assert figure(comparison, "page-beginning", "p50").outcome is Outcome.SAME


def test_stalls_that_all_went_away_have_a_ratio_without_dividing_by_nothing() -> None:
    dice = Random(3)
    gone = compare(a_side("off", dice, 120, stalls=0.004), a_side("on", dice, 120, stalls=0))
    back = compare(a_side("on", Random(4), 120, stalls=0), a_side("off", Random(4), 120, stalls=0.004))
    assert gone.stalls[0].outcome is Outcome.BETTER
    assert back.verdict.outcome in (Outcome.WORSE, Outcome.MIXED)


def test_a_handful_of_stalls_is_shown_but_not_judged() -> None:
    dice = Random(3)
    comparison = compare(a_side("a", dice, 60, stalls=0.0001), a_side("b", dice, 60, stalls=0.0002))
    assert max(comparison.a.stalls, comparison.b.stalls) < 10
    assert not comparison.stalls[0].judged


def test_a_short_run_is_not_enough_data_and_says_what_is_missing() -> None:
    dice = Random(1)
    comparison = compare(a_side("a", dice, 15), a_side("b", dice, 300, slower=4))
    assert comparison.verdict.outcome is Outcome.UNKNOWN
    assert comparison.verdict.sentence == "Not enough data to tell."
    assert "15.0s of writing" in comparison.verdict.reasons[0]
    assert figure(comparison, "page-beginning", "p50").ratio_interval is None


def test_a_run_long_enough_in_too_few_pieces_is_not_called_too_short() -> None:
    tick_ns = 1_300_000_000
    frames = [a_frame(i, [a_write(START + i * tick_ns, 5_000, WriteClass.NEW_PAGE)], tick_ns) for i in range(20)]
    comparison = compare(Side("a").take_all(frames), a_side("b", Random(1), 60))
    assert comparison.verdict.outcome is Outcome.UNKNOWN
    assert comparison.verdict.reasons[0] == (
        "one side has 26.0s of writing, which falls into 10 stretches of 2.00s or more, and 12 are needed at least"
    )


def test_nothing_at_all_is_not_enough_data() -> None:
    comparison = compare(Side("a"), Side("b"))
    assert comparison.verdict.outcome is Outcome.UNKNOWN
    assert comparison.populations == ()
    assert comparison.stalls == ()


def test_a_percentile_with_too_few_writes_above_it_is_not_known() -> None:
    side = Side("a").take_all([a_frame(0, [a_write(START + i * 1_000, 500, WriteClass.NEW_PAGE) for i in range(999)])])
    comparison = compare(side, side)
    assert figure(comparison, "page-beginning", "p90").a is not None
    assert figure(comparison, "page-beginning", "p99").a is None


def test_the_same_sides_and_seed_give_the_same_comparison() -> None:
    sides = [a_side("a", Random(1), 60), a_side("b", Random(2), 60)]
    assert compare(*sides, repetitions=200) == compare(*sides, repetitions=200)


def test_service_is_not_compared_with_response() -> None:
    with pytest.raises(ValueError, match="service time cannot be compared with response time"):
        compare(Side("a"), Side("b", Span.RESPONSE))


def test_a_day_takes_no_more_blocks_than_ten_minutes_and_loses_no_write() -> None:
    side = a_side("day", Random(1), 2_000)
    assert len(side.blocks) <= MOST_BLOCKS
    assert side.length_ns == 2_000 * SECOND
    assert sum(total(side.blocks, WriteClass).values()) == 2_000 * 260
    assert sum(block.stalls for block in side.blocks) == side.stalls


def test_blocks_never_reach_over_the_end_of_a_part_or_a_hole() -> None:
    side = a_side("a", Random(1), 96, parts=4)
    assert side.parts == 4
    assert [block.part for block in grouped(side.blocks, 10 * SECOND)] == [0] * 2 + [1] * 2 + [2] * 2 + [3] * 2
    early, late = scripted(10), scripted(40)[30:]
    with_hole = Side("hole").take_all([*early, *late])
    assert [block.length_ns for block in with_hole.blocks] == [SECOND] * 4


def test_sides_from_other_hosts_settings_and_knobs_are_warned_about() -> None:
    host = Host("web-1", "6.1.0", 4096, (0, 1), (), None, "tsc", None, "root")
    frame = Frame(START, START + SECOND, 0, None, host=host, settings=Settings(), knobs={"swappiness": KnobState("60", None)})
    other = replace(
        frame,
        host=replace(host, hostname="web-2", kernel="6.12.0", privilege="user", cpu="another"),
        settings=Settings(prewarm=Prewarm.WRITE),
        knobs={"swappiness": KnobState("1", None)},
    )
    warned = compare(Side("A").take_all([frame]), Side("B").take_all([other])).warnings
    assert "different hosts: web-1 in A, web-2 in B" in warned
    assert "different kernels: 6.1.0 in A, 6.12.0 in B" in warned
    assert "different CPUs: n/a in A, another in B" in warned
    assert "different permissions: root in A, user in B" in warned
    assert "different settings of prewarm: off in A, write in B" in warned
    assert "different values of swappiness: 60 in A, 1 in B" in warned
    assert compare(Side("A").take_all([frame]), Side("B").take_all([frame])).warnings == ()


def test_a_side_much_longer_and_losses_are_warned_about() -> None:
    a, b = a_side("A", Random(1), 60), a_side("B", Random(1), 20)
    b.losses["ticks"] += 3
    warned = " ".join(compare(a, b, repetitions=100).warnings)
    assert "A lasts 60.0s and B 20.0s" in warned
    assert "B is incomplete: 3 ticks lost" in warned
