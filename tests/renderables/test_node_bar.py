"""Free memory against its watermarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.renderables.glyphs import ASCII, UNICODE
from wlat_tui.renderables.line import plain, width_of
from wlat_tui.renderables.node_bar import STATE_ROLES, STATE_WORDS, node_bar, trend_glyph

MARKS = (50, 75, 100)


@pytest.mark.parametrize(
    ("free", "state", "bar"),
    [
        (0, "below min", "░░░░░m░l░░h░░░░░░░░░"),
        (40, "below min", "████░m░l░░h░░░░░░░░░"),
        (60, "below low", "█████m░l░░h░░░░░░░░░"),
        (90, "between", "█████m█l█░h░░░░░░░░░"),
        (150, "above high", "█████m█l██h████░░░░░"),
        (200, "above high", "█████m█l██h█████████"),
        (5000, "above high", "█████m█l██h████████»"),
    ],
)
def test_free_min_low_and_high_share_one_scale(free: int, state: str, bar: str) -> None:
    assert plain(node_bar(20, free, MARKS, state, UNICODE)) == bar


def test_plain_ascii_is_plain() -> None:
    assert plain(node_bar(20, 90, MARKS, "between", ASCII)) == "#####m#l#.h........."


def test_letters_never_hide_each_other() -> None:
    assert plain(node_bar(12, 10, (99, 100, 101), "below min", UNICODE)) == "█░░░mlh░░░░░"


def test_what_is_not_known_is_said_and_not_drawn() -> None:
    assert plain(node_bar(20, None, MARKS, "unknown", UNICODE)).strip() == "free memory n/a"
    assert plain(node_bar(20, 5, (None, 75, 100), "unknown", UNICODE)).strip() == "watermarks n/a"


@given(st.integers(3, 80), st.integers(0, 10**6), st.integers(1, 10**5))
def test_the_bar_is_as_wide_as_asked(width: int, free: int, high: int) -> None:
    assert width_of(node_bar(width, free, (high // 2, high * 3 // 4, high), "above high", UNICODE)) == width


def test_every_state_has_a_word_of_its_own_so_that_colour_is_not_needed() -> None:
    assert len(set(STATE_WORDS.values())) == len(STATE_WORDS) == len(STATE_ROLES)
    assert [trend_glyph(trend, ASCII) for trend in (-1, 0, 1, None)] == ["v", "=", "^", "?"]
