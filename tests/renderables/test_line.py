"""Lines of spans: fitting, cutting, joining."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.renderables.line import Line, first_fitting, fit, merged, plain, split, width_of

SPANS = st.lists(st.tuples(st.text("ab é漢", max_size=6), st.sampled_from(["", "dim", "bad"])), max_size=5).map(tuple)


@given(SPANS, st.integers(1, 30))
def test_a_fitted_line_is_exactly_as_wide_as_asked(line: Line, width: int) -> None:
    assert width_of(fit(line, width)) == width


@given(SPANS)
def test_joining_neighbours_changes_no_text(line: Line) -> None:
    assert plain(merged(line)) == plain(line)


@given(st.text("ab é", max_size=20), st.integers(0, 25))
def test_splitting_loses_nothing(text: str, cells: int) -> None:
    head, tail = split(((text, "dim"),), cells)
    assert plain(head) + plain(tail) == text
    assert width_of(head) == min(cells, width_of(((text, ""),)))


def test_a_cut_line_says_so() -> None:
    assert plain(fit((("worst ", "label"), ("latency", "")), 9)) == "worst la…"


def test_the_longest_candidate_that_fits_is_chosen() -> None:
    long, short = (("host kernel target", ""),), (("host", ""),)
    assert first_fitting((long, short), 18) == long
    assert first_fitting((long, short), 17) == short
    assert plain(first_fitting((long, short), 3)) == "ho…"
