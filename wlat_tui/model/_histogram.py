"""Counts of one population (stand-in until `wlat_tui.native` brings its own Histogram)."""

from __future__ import annotations

from typing import Any

from wlat_tui._native import ffi, lib
from wlat_tui.frame import HistogramDelta


def bucket_of(ns: int) -> int:
    return int(lib.wl_bucket_of(ns))


class Histogram:
    def __init__(self) -> None:
        self._counts: Any = ffi.new("uint64_t[]", lib.wl_bucket_count())

    def add(self, delta: HistogramDelta, sign: int = 1) -> None:
        buckets = ffi.from_buffer("struct wl_bucket[]", delta.buckets)
        if lib.wl_histogram_add(self._counts, buckets, len(buckets), sign):
            raise ValueError("histogram delta does not fit")

    @property
    def total(self) -> int:
        return int(lib.wl_histogram_total(self._counts))

    def quantiles(self, q: tuple[float, ...]) -> tuple[int, ...]:
        ret = ffi.new("uint64_t[]", len(q))
        if lib.wl_histogram_quantiles(self._counts, q, len(q), ret):
            raise ValueError(f"quantiles {q} are not ascending fractions")
        return tuple(ret)
