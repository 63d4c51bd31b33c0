"""Durations, sizes and CPU lists as people type them, and as the screen shows them."""

from __future__ import annotations

import re

_DURATION_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_SIZE_BYTES = {"": 1, "B": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_NUMBER = r"(\d+(?:\.\d+)?)"


def parse_duration_ns(text: str) -> int:
    """``"200us"`` -> 200_000. Raises ValueError with one sentence."""
    match = re.fullmatch(rf"{_NUMBER}\s*(ns|us|µs|ms|s|m|h)", text.strip())
    if match is None:
        raise ValueError(f"'{text}' is not a duration: write a number and a unit, such as 200us, 1ms or 2s")
    return round(float(match[1]) * _DURATION_NS[match[2]])


def parse_size_bytes(text: str) -> int:
    """``"64M"`` -> 67_108_864 (powers of 1024; ``K``, ``KB`` and ``KiB`` are the same). Raises ValueError with one sentence."""
    match = re.fullmatch(rf"{_NUMBER}\s*(?:([KMGT])(?:i?B)?|(B?))", text.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"'{text}' is not a size: write a number of bytes or use K, M or G, such as 220, 64M or 1G")
    return round(float(match[1]) * _SIZE_BYTES[(match[2] or match[3] or "").upper()])


def format_ns(ns: float | None) -> str:
    """Three significant figures with a unit: ``843ns``, ``20.1us``, ``1.2ms``, ``3.25s``; ``n/a`` for None."""
    if ns is None:
        return "n/a"
    for unit, scale in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        # 999.5 would round up to "1000us"
        if ns >= scale * 0.9995:
            return f"{_three_figures(ns / scale)}{unit}"
    return f"{ns:.0f}ns"


def format_bytes(count: float | None) -> str:
    """Powers of 1024 with one letter: ``512B``, ``16.0M``, ``1.00G``; ``n/a`` for None."""
    if count is None:
        return "n/a"
    size = float(count)
    for unit in ("B", "K", "M", "G", "T"):
        if abs(size) < 999.5 or unit == "T":
            return f"{size:.0f}{unit}" if unit == "B" else f"{_three_figures(size)}{unit}"
        size /= 1024
    raise AssertionError("unreachable")


def _three_figures(value: float) -> str:
    magnitude = abs(value)
    decimals = 2 if magnitude < 9.995 else 1 if magnitude < 99.95 else 0
    return f"{value:.{decimals}f}"


def format_rate(per_hour: float) -> str:
    """``0.52``, ``118``, ``9,120``, ``137k``."""
    if per_hour < 100:
        return f"{per_hour:.3g}"
    return f"{per_hour:,.0f}" if per_hour < 10_000 else f"{per_hour / 1000:,.0f}k"
