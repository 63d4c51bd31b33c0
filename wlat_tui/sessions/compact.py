"""Histograms with fewer buckets, for recordings that must be small.

A histogram of 1,000 writes over thousands of buckets is mostly chance, and chance cannot be packed: it is nine tenths of a
recording. Compact recordings keep the slowest hundredth of each tick's histogram as it was (not of wakes), and put the rest
into buckets *group* times as wide, each counted at its middle. Counts stay what they were; with groups of 32 a duration moves
by at most 1.6 %, with groups of 256 by 12.5 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from wlat_tui.frame import Frame, HistogramDelta, Span
from wlat_tui.histogram import grouped_buckets

GROUP = 32
"""Neighbouring buckets taken as one, unless the recording grows too fast (`thrift.py`)."""
OCTAVE = 1_024
"""Buckets in it (histogram.h)."""
EXACT_FRACTION = 100
"""One write in so many, the slowest, is kept exactly."""


def compact_buckets(packed: bytes, group: int, *, tail: bool = True) -> bytes:
    """Packed ``struct wl_bucket`` with the bulk in wider buckets; without *tail*, the slowest too."""
    return grouped_buckets(packed, EXACT_FRACTION if tail else 0, group)


def within(facts: Mapping[str, object]) -> str:
    """How near durations in the histograms of this recording are, in per cent of them: ``1.6 %``."""
    if not facts.get("compact"):
        return "0.1 %"
    group = facts.get("group")
    return f"{100 * (group if isinstance(group, int) else GROUP) / 2 / OCTAVE:.1f} %"


def compact_frame(frame: Frame, group: int) -> Frame:
    """The same frame with compact histograms; *group*: neighbouring buckets taken as one."""
    if frame.writer is None:
        return frame
    deltas = tuple(
        HistogramDelta(d.span, d.write_class, compact_buckets(d.buckets, group, tail=d.span is not Span.WAKE))
        for d in frame.writer.histograms
    )
    return replace(frame, writer=replace(frame.writer, histograms=deltas))
