"""Bars on a scale that does not move."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.frame import Mark
from wlat_tui.model.series import Column
from wlat_tui.renderables.glyphs import ASCII, UNICODE
from wlat_tui.renderables.latency_strip import LogAxis, latency_strip, legend, short_span, swept, time_axis
from wlat_tui.renderables.line import plain

MS = 1_000_000
MARK = Mark(0, "applied", "prewarm", "off", "write", "")


def column(max_ns: int | None, index: int = 0) -> Column:
    return Column(index, index + 1, max_ns, max_ns, None, True, False, ())


def text(columns: list[Column | None], glyphs: object = UNICODE, height: int = 5) -> list[str]:
    return [plain(line) for line in latency_strip(columns, height, LogAxis(), MS, glyphs)]  # type: ignore[arg-type]


def test_each_decade_ends_in_the_middle_of_its_labelled_row() -> None:
    columns: list[Column | None] = [column(10**e) for e in range(4, 9)]
    assert text(columns) == [
        "100ms┤    ▄",
        " 10ms┤   ▄█",
        "  1ms┤┄┄▄██",
        "100us┤ ▄███",
        " 10us┤▄████",
    ]


def test_plain_ascii_has_the_same_shape() -> None:
    columns: list[Column | None] = [column(10**e) for e in range(4, 9)]
    assert text(columns, ASCII) == [
        "100ms+    :",
        " 10ms+   :#",
        "  1ms+--:##",
        "100us+ :###",
        " 10us+:####",
    ]
    assert all(line.isascii() for line in text(columns, ASCII))


def test_missing_data_is_empty_a_gap_is_marked_and_the_smallest_write_is_seen() -> None:
    gap = replace(column(None), has_gap=True)
    assert [line[6:] for line in text([column(None), gap, column(1), None])] == ["    ", "    ", "┄┄┄ ", "    ", " ×▁ "]  # noqa: RUF001


def test_a_switched_mitigation_is_marked_at_the_top_unless_a_bar_is_there() -> None:
    rows = text([replace(column(20_000), marks=(MARK,)), replace(column(90 * MS), marks=(MARK,))])
    assert rows[0][6:] == "▼▄"


def test_bars_over_the_threshold_have_their_own_role() -> None:
    roles = {
        role for line in latency_strip([column(2 * MS)], 5, LogAxis(), MS, UNICODE) for cell, role in line if cell in "▁▂▃▄▅▆▇█"
    }
    assert roles == {"worst"}


@given(st.integers(1, 10**12))
def test_the_scale_grows_by_whole_decades_and_never_shrinks(worst_ns: int) -> None:
    axis = LogAxis().grown_for(worst_ns)
    assert axis.ceiling_ns >= max(worst_ns, LogAxis().ceiling_ns)
    assert axis.grown_for(1) == axis
    assert str(axis.ceiling_ns).strip("0") == "1"


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(2, 40))
def test_a_slower_write_is_never_drawn_lower(one: int, other: int, height: int) -> None:
    axis = LogAxis()
    assert (one <= other) <= (axis.fraction(one) <= axis.fraction(other))
    assert (one <= other) <= (axis.row(one, height) >= axis.row(other, height))


def test_a_sweep_keeps_every_moment_in_its_place_and_leaves_the_cursor_empty() -> None:
    first = swept([column(10**5, i) for i in range(7, 12)], 1)
    second = swept([column(10**5, i) for i in range(8, 13)], 1)
    assert [None if c is None else c.begin_ns for c in first] == [10, 11, None, 8, 9]
    assert [None if c is None else c.begin_ns for c in second] == [10, 11, 12, None, 9]


def test_the_time_axis_says_how_long_ago() -> None:
    assert plain(time_axis(40, 60 * 10**9)) == "      60s ago                              now"
    assert plain(time_axis(40, 60 * 10**9, swept=True)) == "                                one sweep: 60s"


def test_the_time_axis_says_what_bars_red_and_dashes_mean_as_far_as_there_is_room() -> None:
    key = legend("worst service per 0.5s", MS, UNICODE)
    wide, middle, narrow, least = (plain(time_axis(width, 60 * 10**9, key)) for width in (90, 60, 40, 12))
    assert "█ worst service per 0.5s  █ over threshold  ┄┄ threshold 1.00ms" in wide
    assert "█ worst service per 0.5s  █ over threshold" in middle
    assert "█ worst service per 0.5s" in narrow
    assert [len(line) for line in (wide, middle, narrow, least)] == [96, 66, 46, 18]
    assert least.split() == ["60s", "ago", "now"]


def test_the_row_of_the_threshold_line_names_the_threshold_also_on_few_rows() -> None:
    for threshold_ns, name in ((MS, "1ms"), (2 * MS, "2ms"), (50_000, "50us"), (500 * MS // 10, "50ms")):
        lines = [plain(line) for line in latency_strip([column(1), column(None)], 4, LogAxis(), threshold_ns, UNICODE)]
        (row,) = [line for line in lines if "┄" in line]
        assert row.startswith(f"{name:>5}┤")


def test_spans_are_short() -> None:
    assert [short_span(s * 10**9) for s in (10, 90, 120, 900, 7200)] == ["10s", "90s", "2min", "15min", "2h"]
