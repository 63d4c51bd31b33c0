"""A benchmark prints medians and pairwise ratios, and says when there is no ratio."""

from __future__ import annotations

from wlat_tui.bench.figures import against, compare


def test_the_ratio_is_the_median_of_pairwise_ratios() -> None:
    runs = [({"p50": 1.0}, {"p50": 2.0}), ({"p50": 10.0}, {"p50": 10.0}), ({"p50": 4.0}, {"p50": 6.0})]
    row = compare("title", "a", "b", runs)[2].split()
    assert row[0] == "p50"
    assert row[1:5] == ["4.00us", "6.00us", "1.500", "1.00"]


def test_a_side_that_was_always_zero_has_no_ratio() -> None:
    assert "n/a" in compare("title", "a", "b", [({"p50": 0.0}, {"p50": 2.0})])[2]


def test_a_target_is_met_or_missed_in_plain_words() -> None:
    assert against("cpu", 3.9, 4, "%").endswith("met")
    assert against("cpu", 4.1, 4, "%").endswith("MISSED")
