"""Durations and sizes are read as people type them and shown in three figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.units import format_bytes, format_ns, format_rate, parse_duration_ns, parse_size_bytes


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("200us", 200_000),
        ("200µs", 200_000),
        ("1ms", 1_000_000),
        ("1.5 ms", 1_500_000),
        ("1s", 10**9),
        ("10m", 600 * 10**9),
        ("2h", 7200 * 10**9),
        ("7ns", 7),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, ns: int) -> None:
    assert parse_duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "200", "us", "-1ms", "1 fortnight", "1ms2", "1e3us", "nan s"])
def test_what_is_not_a_duration_is_refused_in_one_sentence_that_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write a number and a unit") as error:
        parse_duration_ns(text)
    assert f"'{text}'" in str(error.value)


@pytest.mark.parametrize(
    ("text", "size"),
    [("220", 220), ("220B", 220), ("64M", 64 << 20), ("64MiB", 64 << 20), ("64mb", 64 << 20), ("1G", 1 << 30), ("1.5k", 1536)],
)
def test_a_size_is_a_number_with_or_without_a_binary_unit(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "M", "64Q", "-1", "64 M B", "0x10"])
def test_what_is_not_a_size_is_refused_in_one_sentence_that_names_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size") as error:
        parse_size_bytes(text)
    assert f"'{text}'" in str(error.value)


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (None, "n/a"),
        (0, "0ns"),
        (843, "843ns"),
        (999.6, "1.00us"),
        (1_000, "1.00us"),
        (20_123, "20.1us"),
        (999_949, "1.00ms"),
        (12_345_678, "12.3ms"),
        (3_250_000_000, "3.25s"),
    ],
)
def test_a_time_is_shown_in_three_figures(ns: float | None, shown: str) -> None:
    assert format_ns(ns) == shown


@given(st.integers(1, 10**13))
def test_a_shown_time_is_short_and_within_half_a_per_cent(ns: int) -> None:
    shown = format_ns(ns)
    assert abs(parse_duration_ns(shown) - ns) <= max(0.5, ns * 0.0051)
    assert len(shown) <= 8


@given(st.integers(0, 10**15))
def test_a_shown_size_is_short_and_within_half_a_per_cent(size: int) -> None:
    shown = format_bytes(size)
    assert abs(parse_size_bytes(shown) - size) <= max(0.5, size * 0.0051)
    assert len(shown) <= 6


def test_rates_stay_short_enough_for_a_column() -> None:
    assert [format_rate(rate) for rate in (0, 0.5234, 117.9, 9_120.4, 136_842)] == ["0", "0.523", "118", "9,120", "137k"]
