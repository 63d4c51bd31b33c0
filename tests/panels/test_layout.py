"""The division of the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.screens.layout import arrange

SIZES = st.tuples(st.integers(60, 300), st.integers(15, 100))


@given(SIZES, st.integers(0, 400), st.integers(0, 20), st.sampled_from([None, True, False]))
def test_the_rows_always_add_up_and_something_of_everything_is_seen(
    size: tuple[int, int], nodes: int, mitigations: int, chart: bool | None
) -> None:
    width, height = size
    plan = arrange(width, height, nodes, mitigations, chart)
    assert plan is not None
    lower = plan.nodes if plan.side_by_side else plan.nodes + plan.mitigations
    assert plan.latency + plan.history + lower + 4 == height
    assert plan.latency + plan.history >= 4
    assert plan.nodes >= 2
    assert plan.mitigations >= 2
    assert not plan.side_by_side or plan.nodes == plan.mitigations
    assert (plan.history > 0) >= bool(chart)
    assert chart is not False or not plan.history


@given(st.integers(0, 59), st.integers(0, 14))
def test_a_terminal_that_is_too_small_is_refused(width: int, height: int) -> None:
    assert arrange(width, 100, 2, 5) is None
    assert arrange(100, height, 2, 5) is None


def test_80x24_shows_bars_nodes_and_mitigations_and_120x40_the_chart_too() -> None:
    small, common = arrange(80, 24, 2, 17), arrange(120, 40, 2, 17)
    assert small is not None
    assert common is not None
    assert (small.latency, small.history, small.nodes, small.mitigations) == (12, 0, 3, 5)
    assert common.latency >= 9
    assert common.history >= 12
