"""Sides of a comparison out of a made-up writer whose good and bad seconds come in bursts."""

from __future__ import annotations

import math
from collections import Counter
from random import Random
from struct import pack

from tests.model.makers import SECOND, START, a_tick
from wlat_tui.compare.side import Side
from wlat_tui.frame import Frame, HistogramDelta, Span, WriteClass
from wlat_tui.histogram import bucket_of_ns

PAGES_PER_S = 260


def a_side(
    name: str, dice: Random, seconds: int, *, slower: float = 1.0, stalls: float = 0.002, memory: float = 0.5, parts: int = 1
) -> Side:
    """*slower*: factor on every write; *stalls*: chance of a stall; *memory*: how much a second resembles the one before."""
    side = Side(name)
    mood = 0.0
    for second in range(seconds):
        if second and second % (seconds // parts) == 0:
            side.part()
        mood = memory * mood + math.sqrt(1 - memory * memory) * dice.gauss(0, 1)
        counts: Counter[int] = Counter()
        slow = 0
        for _ in range(PAGES_PER_S):
            ns = 2_000 * slower * math.exp(0.1 * mood + 0.4 * dice.gauss(0, 1))
            if dice.random() < stalls * math.exp(0.8 * mood - 0.32):
                ns = 1e6 * math.exp(1 + dice.gauss(0, 1))
                slow += ns > 1e6
            counts[bucket_of_ns(int(ns))] += 1
        buckets = b"".join(pack("=II", *pair) for pair in counts.items())
        begin_ns = START + second * SECOND
        tick = a_tick(
            second + 1,
            begin_ns,
            begin_ns + SECOND,
            histograms=(HistogramDelta(Span.SERVICE, WriteClass.NEW_PAGE, buckets),),
            stall_count=slow,
        )
        side.take(Frame(begin_ns, begin_ns + SECOND, begin_ns + SECOND, tick))
    return side
