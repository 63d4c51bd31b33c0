"""Histograms of durations in the engine's buckets, counted by the native core."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from wlat_tui._native import ffi as _ffi
from wlat_tui._native import lib as _lib
from wlat_tui.frame import HistogramDelta

BUCKET_BYTES: int = _ffi.sizeof("struct wl_bucket")
BUCKETS: int = _lib.wl_bucket_count()


def check(result: int, attempt: str) -> None:
    """Turn -errno into OSError saying what was attempted."""
    if result < 0:
        raise OSError(-result, f"{attempt}: {os.strerror(-result)}")


class Histogram:
    """Counts by duration, in the engine's buckets (three significant digits, up to over an hour)."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = _ffi.new("uint64_t[]", BUCKETS)

    def add(self, delta: HistogramDelta | bytes, sign: int = 1) -> None:
        """Add (or, with sign -1, take away) packed buckets.

        Raises:
            ValueError: not whole buckets.
            OSError: an index out of range, or a count would fall below zero; nothing is changed then.
        """
        buckets = delta.buckets if isinstance(delta, HistogramDelta) else delta
        if len(buckets) % BUCKET_BYTES:
            raise ValueError(f"a histogram of {len(buckets)} bytes is not whole buckets of {BUCKET_BYTES}")
        if buckets:
            packed = _ffi.from_buffer("struct wl_bucket[]", buckets)
            check(_lib.wl_histogram_add(self._counts, packed, len(buckets) // BUCKET_BYTES, sign), "adding to a histogram")

    @property
    def total(self) -> int:
        """Number of values counted."""
        return int(_lib.wl_histogram_total(self._counts))

    def quantiles(self, fractions: Sequence[float]) -> list[int]:
        """Durations (ns) that these fractions (0..1, ascending) of all values do not exceed; 0 when empty.

        Raises:
            OSError: fractions out of range or not ascending.
        """
        result = _ffi.new("uint64_t[]", len(fractions))
        check(
            _lib.wl_histogram_quantiles(self._counts, _ffi.new("double[]", list(fractions)), len(fractions), result),
            "computing quantiles (fractions must ascend from 0 to 1)",
        )
        return list(result)

    def count(self, counts: Mapping[int, int]) -> None:
        """Add writes by bucket, any number of them.

        Raises:
            IndexError: there is no such bucket.
        """
        for index, count in counts.items():
            if not 0 <= index < BUCKETS:
                raise IndexError(f"bucket {index} is out of range: 0 to {BUCKETS - 1}")
            self._counts[index] += count

    def merge(self, other: Histogram) -> None:
        """Add all of another one's counts."""
        for index, count in other._nonzero():
            self._counts[index] += count

    def copy(self) -> Histogram:
        """An independent copy."""
        twin = Histogram()
        _ffi.memmove(twin._counts, self._counts, _ffi.sizeof(self._counts))
        return twin

    def clear(self) -> None:
        """Forget everything."""
        _ffi.memmove(self._counts, bytes(_ffi.sizeof(self._counts)), _ffi.sizeof(self._counts))

    def _nonzero(self) -> Iterator[tuple[int, int]]:
        counts = memoryview(_ffi.buffer(self._counts)).cast("Q")
        return ((index, count) for index, count in enumerate(counts) if count)

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """Every non-empty bucket as (lowest ns, highest ns, count), ascending."""
        return ((*bucket_bounds_ns(index), count) for index, count in self._nonzero())


def grouped_buckets(packed: bytes, exact_fraction: int, group: int) -> bytes:
    """Packed ``struct wl_bucket``, ascending: of the longest durations one in *exact_fraction* (0: none) as they are, the rest
    each in the middle of its group of so many neighbours.

    Raises:
        ValueError: not whole buckets.
    """
    if len(packed) % BUCKET_BYTES:
        raise ValueError(f"a histogram of {len(packed)} bytes is not whole buckets of {BUCKET_BYTES}")
    count, out = len(packed) // BUCKET_BYTES, bytearray(len(packed))
    kept = _lib.wl_histogram_group(
        *(_ffi.from_buffer("struct wl_bucket[]", packed), count, exact_fraction, group),
        _ffi.from_buffer("struct wl_bucket[]", out),
    )
    return bytes(out[: kept * BUCKET_BYTES])


def bucket_bounds_ns(index: int) -> tuple[int, int]:
    """Lowest and highest duration (ns) that land in this bucket.

    Raises:
        IndexError: there is no such bucket.
    """
    if not 0 <= index < BUCKETS:
        raise IndexError(f"bucket {index} is out of range: 0 to {BUCKETS - 1}")
    return int(_lib.wl_bucket_low_ns(index)), int(_lib.wl_bucket_high_ns(index))


def bucket_of_ns(duration_ns: int) -> int:
    """The bucket a duration lands in."""
    return int(_lib.wl_bucket_of(duration_ns))
