"""The division of the terminal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.screens.layout import Lower, arrange

LOWER = st.sampled_from(["stalls", "mitigations"])
SIZES = st.tuples(st.integers(60, 300), st.integers(15, 100))


@given(SIZES, st.integers(0, 400), st.integers(0, 20), st.sampled_from([None, True, False]), st.booleans(), LOWER)
def test_the_rows_always_add_up_and_something_of_everything_is_seen(
    size: tuple[int, int], nodes: int, mitigations: int, chart: bool | None, opened: bool, lower: Lower
) -> None:
    width, height = size
    plan = arrange(width, height, nodes, mitigations, chart, opened, lower)
    assert plan is not None
    below = plan.nodes + plan.stalls + (0 if plan.side_by_side else plan.mitigations)
    assert plan.latency + plan.history + below + 4 == height
    assert plan.latency + plan.history >= 4
    assert plan.nodes >= 2
    shown = {"stalls": plan.stalls, "mitigations": plan.mitigations}
    assert shown[lower] >= 2
    assert all(rows >= 2 for rows in shown.values()) or (plan.shared and sum(rows > 0 for rows in shown.values()) == 1)
    assert not plan.side_by_side or plan.nodes + plan.stalls == plan.mitigations
    assert (plan.history > 0) >= bool(chart)
    assert chart is not False or not plan.history


@given(st.integers(0, 59), st.integers(0, 14))
def test_a_terminal_that_is_too_small_is_refused(width: int, height: int) -> None:
    assert arrange(width, 100, 2, 5) is None
    assert arrange(100, height, 2, 5) is None


def test_80x24_shows_bars_nodes_and_stalls_or_mitigations_and_120x40_everything() -> None:
    small, other, common = arrange(80, 24, 2, 17), arrange(80, 24, 2, 17, lower="mitigations"), arrange(120, 40, 2, 17)
    assert small is not None
    assert other is not None
    assert common is not None
    assert (small.latency, small.history, small.nodes, small.stalls, small.mitigations) == (12, 0, 3, 5, 0)
    assert (other.latency, other.history, other.nodes, other.stalls, other.mitigations) == (12, 0, 3, 0, 5)
    assert common.latency >= 9
    assert common.history >= 10
    assert common.stalls >= 6
    assert common.mitigations >= 5


def test_200x60_shows_many_stalls_beside_all_mitigations() -> None:
    wide = arrange(200, 60, 2, 17)
    assert wide is not None
    assert wide.side_by_side
    assert (wide.stalls, wide.mitigations) >= (15, 18)
