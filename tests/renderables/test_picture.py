"""The terminal receives only what differs, and ends up showing the same."""

from __future__ import annotations

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st

from wlat_tui.renderables.picture import Picture

WIDTH, HEIGHT = 20, 5
STYLES = ("", "1", "31", "38;2;1;2;3", "1;38;5;9;48;2;0;0;9", "7")
DRAWING = st.tuples(
    st.integers(0, HEIGHT - 1), st.integers(0, 11), st.text("abc ─█é漢", min_size=1, max_size=4), st.sampled_from(STYLES)
)


def draw(y: int, x: int, text: str, style: str = "") -> str:
    return f"\x1b[{y + 1};{x + 1}H" + (f"\x1b[{style}m{text}\x1b[0m" if style else text)


def shown(screen: pyte.Screen) -> list[list[object]]:
    return [[screen.buffer[y][x] for x in range(WIDTH)] for y in range(HEIGHT)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(DRAWING, max_size=6), max_size=6))
def test_a_terminal_fed_differences_shows_what_one_fed_everything_shows(frames: list[list[tuple[int, int, str, str]]]) -> None:
    picture = Picture()
    whole, sparse = pyte.Screen(WIDTH, HEIGHT), pyte.Screen(WIDTH, HEIGHT)
    to_whole, to_sparse = pyte.Stream(whole), pyte.Stream(sparse)
    blank = "".join(draw(y, 0, " " * WIDTH) for y in range(HEIGHT))
    for frame in [[], *frames]:
        # Textual redraws whole rows, so no frame leaves half of a wide character behind
        data = blank + "".join(draw(*drawing) for drawing in {drawing[0]: drawing for drawing in frame}.values())
        to_whole.feed(data)
        picture.feed(data)
        to_sparse.feed(picture.take_changes())
        assert shown(sparse) == shown(whole)


def test_what_is_shown_already_is_not_sent_again() -> None:
    picture = Picture()
    picture.feed(draw(0, 0, "hello", "31"))
    assert picture.take_changes() == "\x1b[1;1H\x1b[31mhello\x1b[0m"
    picture.feed(draw(0, 0, "hello", "31"))
    assert picture.take_changes() == ""
    picture.feed(draw(0, 0, "hallo", "31"))
    assert picture.take_changes() == "\x1b[1;2H\x1b[31ma\x1b[0m"


def test_several_updates_melt_into_the_last_one() -> None:
    picture = Picture()
    for text in ("one", "two", "six"):
        picture.feed(draw(0, 0, text))
    assert picture.take_changes() == "\x1b[1;1Hsix"


def test_only_the_part_of_a_style_that_changes_is_sent() -> None:
    picture = Picture()
    picture.feed(draw(0, 0, "a", "31;44") + draw(0, 1, "b", "32;44"))
    assert picture.take_changes() == "\x1b[1;1H\x1b[31;44ma\x1b[32mb\x1b[0m"


def test_modes_are_passed_on_and_synchronised_output_is_kept_around_the_changes() -> None:
    picture = Picture()
    assert picture.feed("\x1b[?25l\x1b[?2026h" + draw(0, 0, "x") + "\x1b[?2026l\x07") == "\x1b[?25l\x07"
    assert picture.take_changes() == "\x1b[?2026h\x1b[1;1Hx\x1b[?2026l"


def test_after_a_resize_everything_inside_is_sent_again_and_nothing_outside() -> None:
    picture = Picture()
    picture.feed(draw(0, 0, "abcdef") + draw(3, 0, "below"))
    picture.take_changes()
    picture.resize(3, 2)
    assert picture.take_changes() == "\x1b[1;1Habc"


def test_what_was_laid_out_for_a_larger_terminal_is_cut_at_the_edge() -> None:
    picture = Picture()
    picture.resize(3, 2)
    picture.feed(draw(0, 0, "a漢字") + draw(1, 2, "xyz") + draw(1, 7, "far") + draw(2, 0, "below"))
    assert picture.take_changes() == "\x1b[1;1Ha漢\x1b[2;1H  x"
    picture.resize(2, 2)
    assert picture.take_changes() == "\x1b[1;1Ha \x1b[2;1H  "


def test_a_wide_character_is_replaced_as_a_whole() -> None:
    picture = Picture()
    picture.feed(draw(0, 0, "漢字"))
    picture.take_changes()
    picture.feed(draw(0, 0, "漢x "))
    assert picture.take_changes() == "\x1b[1;3Hx "


def test_what_is_meant_for_the_clipboard_is_passed_on_and_titles_are_not() -> None:
    picture = Picture()
    assert picture.feed("a\x1b]52;c;aGk=\x07b\x1b]0;title\x07") == "\x1b]52;c;aGk=\x07"
