"""When the low-bandwidth view comes and goes by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.link import FIRST_TRIAL_S, LONGEST_TRIAL_S, MOST_OWED_BYTES, LinkView


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


def drawn_in_a_minute(view: LinkView, frame_bytes: int) -> int:
    """Frames, at most one a second."""
    sent = frames = 0
    for second in range(60):
        if view.affords(second, sent):
            sent += frame_bytes
            frames += 1
    return frames


@given(st.integers(1, MOST_OWED_BYTES))
def test_the_small_view_stays_under_2_kb_a_second_whatever_a_frame_takes(frame_bytes: int) -> None:
    frames = drawn_in_a_minute(LinkView(True), frame_bytes)
    assert frames * frame_bytes <= 60 * 2_000
    assert frames >= min(60, 60 * 1_800 // frame_bytes // 2)


def test_an_ordinary_frame_is_drawn_every_second_and_the_full_view_is_not_held_up() -> None:
    assert drawn_in_a_minute(LinkView(True), 1_000) == 60
    assert drawn_in_a_minute(LinkView(False), 20_000) == 60


def test_after_something_large_the_small_view_goes_on_within_seconds() -> None:
    view = LinkView(True)
    assert view.affords(0, 0)
    assert not view.affords(1, 100_000)
    assert not view.affords(2, 100_000)
    assert view.affords(4, 100_000)
