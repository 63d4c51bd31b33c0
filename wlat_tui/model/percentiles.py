"""Latency quantiles of a moving window and of the whole session, from merged histograms (never from averaged percentiles)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles of some writes, in ns. A quantile that these few writes cannot resolve is None ("n/a"): p99 needs 100 writes,
    p99.9 needs 1,000, p99.99 needs 10,000; with fewer it would only repeat the maximum."""

    count: int
    p50_ns: int
    p90_ns: int
    p99_ns: int | None
    p999_ns: int | None
    p9999_ns: int | None
    max_ns: int
    max_exact: bool
    """True: the exact worst write. False: upper bound of its histogram bucket (0.1 % wide)."""
