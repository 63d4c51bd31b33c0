"""Every encoding gives back what went in, and damaged bytes give Damaged and nothing else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sessions.makers import BUCKETS
from wlat_tui.sessions.columns import (
    Cursor,
    Damaged,
    pack_buckets,
    pack_counts,
    pack_floats,
    pack_ints,
    pack_texts,
    unpack_buckets,
    unpack_floats,
    unpack_ints,
    unpack_texts,
    unzigzag,
    uvarint,
    zigzag,
)

NUMBERS = st.integers() | st.integers(-3, 3) | st.integers(2**63 - 2, 2**64 + 2) | st.sampled_from([200_000, 400_000])


@given(st.integers())
def test_zigzag_and_back(value: int) -> None:
    assert unzigzag(zigzag(value)) == value
    assert Cursor(uvarint(zigzag(value))).svarint() == value


@given(st.lists(NUMBERS))
def test_integers_of_any_size_come_back(values: list[int]) -> None:
    cursor = Cursor(pack_ints(values))
    assert unpack_ints(cursor, len(values)) == values
    assert cursor.left == 0


@given(st.lists(st.integers(0, 2**70)))
def test_counts_come_back(values: list[int]) -> None:
    assert unpack_ints(Cursor(pack_counts(values)), len(values)) == values


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_texts_come_back_with_what_is_no_text(values: list[str]) -> None:
    assert unpack_texts(Cursor(pack_texts(values)), len(values)) == values


@given(st.lists(st.floats(allow_nan=False)))
def test_floats_come_back_exactly(values: list[float]) -> None:
    assert unpack_floats(Cursor(pack_floats(values)), len(values)) == values


@given(st.lists(BUCKETS))
def test_histograms_come_back(values: list[bytes]) -> None:
    assert unpack_buckets(Cursor(pack_buckets(values)), len(values)) == values


def test_histograms_come_back_sorted_and_lose_no_count() -> None:
    engine_order = struct.pack("=6I", 9, 1, 4, 2, 9, 3)
    (back,) = unpack_buckets(Cursor(pack_buckets([engine_order])), 1)
    assert list(struct.iter_unpack("=II", back)) == [(4, 2), (9, 1), (9, 3)]


def test_deadlines_cost_a_byte_each() -> None:
    deadlines = [10**15 + 200_000 * slot for slot in range(0, 1_000, 7)]
    assert len(pack_ints(deadlines)) < len(deadlines) + 20


@given(st.binary(max_size=60), st.integers(0, 30))
def test_any_bytes_give_values_or_damaged(data: bytes, count: int) -> None:
    for unpack in (unpack_ints, unpack_texts, unpack_floats, unpack_buckets):
        try:
            assert len(unpack(Cursor(data), count)) == count
        except Damaged:
            continue


def test_a_column_that_announces_too_much_is_refused() -> None:
    with pytest.raises(Damaged, match="announces"):
        unpack_ints(Cursor(b"\0\0"), 1 << 40)
