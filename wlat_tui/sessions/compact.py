"""Histograms with fewer buckets, for recordings that must be small.

A histogram of 1,000 writes over thousands of buckets is mostly chance, and chance cannot be packed: it is nine tenths of a
recording. Compact recordings keep the slowest hundredth of each tick's histogram as it was (not of wakes), and put the rest
into buckets `GROUP` times as wide, each counted at its middle. Counts stay what they were; a duration moves by at most 1.6 %.
"""

from __future__ import annotations

from array import array
from dataclasses import replace

from wlat_tui.frame import Frame, HistogramDelta, Span

GROUP = 32
"""Neighbouring buckets taken as one; an octave has 1,024 (histogram.h), so a group is at most 3.2 % wide."""
EXACT_FRACTION = 100
"""One write in so many, the slowest, is kept exactly."""


def coarse_index(index: int) -> int:
    """The bucket in the middle of this one's group."""
    return index // GROUP * GROUP + GROUP // 2


def compact_buckets(packed: bytes, *, tail: bool = True) -> bytes:
    """Packed ``struct wl_bucket`` with the bulk in wider buckets; without *tail*, the slowest too."""
    flat = array("I", packed)
    left = sum(flat[1::2]) // EXACT_FRACTION + 1 if tail else 0
    kept: dict[int, int] = {}
    for index, count in sorted(zip(flat[::2], flat[1::2], strict=True), reverse=True):
        if left > 0:
            left -= count
        else:
            index = coarse_index(index)
        kept[index] = kept.get(index, 0) + count
    return array("I", [number for pair in sorted(kept.items()) for number in pair]).tobytes()


def compact_frame(frame: Frame) -> Frame:
    """The same frame with compact histograms."""
    if frame.writer is None:
        return frame
    deltas = tuple(
        HistogramDelta(d.span, d.write_class, compact_buckets(d.buckets, tail=d.span is not Span.WAKE))
        for d in frame.writer.histograms
    )
    return replace(frame, writer=replace(frame.writer, histograms=deltas))
