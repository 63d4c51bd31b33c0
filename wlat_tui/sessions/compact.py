"""Histograms with fewer buckets, for recordings that must be small.

A histogram of 1,000 writes over thousands of buckets is mostly chance, and chance cannot be packed: it is nine tenths of a
recording. Compact recordings keep the slowest hundredth of each tick's histogram as it was (not of wakes), and put the rest
into buckets `GROUP` times as wide, each counted at its middle. Counts stay what they were; a duration moves by at most 1.6 %.
"""

from __future__ import annotations

from dataclasses import replace

from wlat_tui.frame import Frame, HistogramDelta, Span
from wlat_tui.histogram import grouped_buckets

GROUP = 32
"""Neighbouring buckets taken as one; an octave has 1,024 (histogram.h), so a group is at most 3.2 % wide."""
EXACT_FRACTION = 100
"""One write in so many, the slowest, is kept exactly."""


def compact_buckets(packed: bytes, *, tail: bool = True) -> bytes:
    """Packed ``struct wl_bucket`` with the bulk in wider buckets; without *tail*, the slowest too."""
    return grouped_buckets(packed, EXACT_FRACTION if tail else 0, GROUP)


def compact_frame(frame: Frame) -> Frame:
    """The same frame with compact histograms."""
    if frame.writer is None:
        return frame
    deltas = tuple(
        HistogramDelta(d.span, d.write_class, compact_buckets(d.buckets, tail=d.span is not Span.WAKE))
        for d in frame.writer.histograms
    )
    return replace(frame, writer=replace(frame.writer, histograms=deltas))
