"""The intervals hold what they promise: on made-up data whose true figures are known."""

from __future__ import annotations

import math
import os
from collections import Counter
from random import Random

import pytest

from tests.compare.makers import a_side
from wlat_tui.compare.bootstrap import Basis, draws, interval, likeness, quantile_draws, rate_draws, student
from wlat_tui.compare.comparison import Outcome, compare
from wlat_tui.histogram import Histogram

RUNS = int(os.environ.get("WLAT_COMPARE_RUNS", "12"))
"""More of them take minutes."""


def test_students_t_is_as_in_the_tables() -> None:
    for fraction, freedom, known in ((0.975, 11, 2.201), (0.975, 30, 2.042), (0.995, 11, 3.106), (0.99375, 23, 2.726)):
        assert student(fraction, freedom) == pytest.approx(known, rel=0.01)


def test_a_draw_is_made_of_as_many_blocks_and_its_quantiles_are_those_of_the_merged_blocks() -> None:
    dice = Random(3)
    blocks = [{dice.randrange(1_000): dice.randrange(1, 50) for _ in range(20)} for _ in range(15)]
    repetitions = draws(15, 20, dice)
    assert all(sum(weights) == 15 for weights in repetitions)
    for weights, found in zip(repetitions, quantile_draws(blocks, repetitions, (0.5, 0.99)), strict=True):
        merged = Histogram()
        for weight, counts in zip(weights, blocks, strict=True):
            merged.count({index: weight * count for index, count in counts.items()})
        assert list(found) == merged.quantiles((0.5, 0.99))


@pytest.mark.parametrize("blocks", [12, 24])
def test_of_a_hundred_intervals_about_ninety_five_hold_the_true_rate(blocks: int) -> None:
    dice = Random(5)
    held = 0
    for _ in range(200):
        counts = [sum(dice.random() < 0.05 for _ in range(100)) for _ in range(blocks)]
        rates = rate_draws(counts, [3_600_000_000_000] * blocks, draws(blocks, 300, dice))
        held += interval(rates, Basis(blocks), 0.95).holds(5.0)
    assert 186 <= held <= 200


def test_intervals_grow_where_neighbouring_blocks_resemble_each_other() -> None:
    values = [math.sin(i) for i in range(1_000)]
    apart, alike = (interval(values, Basis(20, r), 0.9) for r in (0.0, 0.3))
    assert alike.high >= apart.high
    assert alike.low <= apart.low
    assert Basis(20, 0.3).reach(0.9) > Basis(20).reach(0.9)


def test_likeness_is_seen_within_parts_only() -> None:
    slow = [i // 10 % 2 for i in range(200)]
    assert (likeness(slow, [i > 0 for i in range(200)]) or 0) > 0.7
    assert likeness(slow, [False] * 200) is None
    assert likeness([1.0] * 50, [True] * 50) is None


def outcomes(memory: float, seconds: int, **of_b: float) -> Counter[Outcome]:
    dice = Random(11)
    found: Counter[Outcome] = Counter()
    for run in range(RUNS):
        a = a_side("A", dice, seconds, memory=memory)
        b = a_side("B", dice, seconds, memory=memory, **of_b)
        found[compare(a, b, seed=run, repetitions=250).verdict.outcome] += 1
    return found


def test_the_same_twice_is_hardly_ever_called_different() -> None:
    found = outcomes(0.3, 120)
    assert found[Outcome.BETTER] + found[Outcome.WORSE] + found[Outcome.MIXED] <= 0.05 * RUNS
    assert found[Outcome.SAME] >= 0.8 * RUNS


def test_bursts_longer_than_the_run_can_show_are_not_taken_for_a_difference() -> None:
    found = outcomes(0.95, 60)
    assert found[Outcome.BETTER] + found[Outcome.WORSE] + found[Outcome.MIXED] <= 0.1 * RUNS
    assert found[Outcome.UNKNOWN] >= 0.5 * RUNS
