"""When the low-bandwidth view comes and goes by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.link import FIRST_TRIAL_S, LONGEST_TRIAL_S, LinkView


def test_a_slow_link_gets_the_small_view_and_the_full_one_back_when_it_keeps_up() -> None:
    view = LinkView(None)
    assert view.judge(0, slow=False, late=False) is None
    assert "slow" in (view.judge(1, slow=True, late=True) or "")
    assert view.low_bandwidth
    assert view.judge(2, slow=False, late=False) is None
    assert view.judge(2 + FIRST_TRIAL_S - 1, slow=False, late=False) is None
    assert "full view" in (view.judge(2 + FIRST_TRIAL_S, slow=False, late=False) or "")
    assert not view.low_bandwidth


def test_a_late_frame_starts_the_waiting_again() -> None:
    view = LinkView(None)
    view.judge(0, slow=True, late=True)
    view.judge(1, slow=False, late=False)
    view.judge(15, slow=False, late=True)
    assert view.judge(1 + FIRST_TRIAL_S, slow=False, late=False) is None
    assert view.low_bandwidth


def test_each_failed_trial_doubles_the_time_to_the_next_up_to_a_limit() -> None:
    view, now_s, waits = LinkView(None), 0.0, []
    for _ in range(8):
        view.judge(now_s, slow=True, late=True)
        begin_s = now_s
        while view.low_bandwidth:
            now_s += 1
            view.judge(now_s, slow=False, late=False)
        waits.append(now_s - begin_s - 1)
    assert waits == [min(LONGEST_TRIAL_S, FIRST_TRIAL_S * 2**i) for i in range(8)]


@pytest.mark.parametrize("wanted", [True, False])
@given(st.lists(st.tuples(st.booleans(), st.booleans())))
def test_what_the_user_chose_stays(wanted: bool, states: list[tuple[bool, bool]]) -> None:
    asked, pressed = LinkView(wanted), LinkView(None)
    pressed.choose(wanted)
    for at, (slow, late) in enumerate(states):
        for view in (asked, pressed):
            assert view.judge(at * 1_000.0, slow=slow, late=late) is None
            assert view.low_bandwidth == wanted
