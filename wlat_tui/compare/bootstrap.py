"""How far a figure would move if the same thing were measured again: the block bootstrap.

Writes are not independent of each other (reclaim comes in bursts, a segment lasts for seconds), so not writes are drawn again
but whole blocks of time, with replacement. With few blocks the percentile interval is too narrow: tails are widened to what
Student's t says for so many ("expanded" percentile interval: Hesterberg, What Teachers Should Know About the Bootstrap, 2015).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import NormalDist, fmean

from wlat_tui.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a figure lies, with the confidence that was asked for."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


def draws(blocks: int, times: int, dice: Random) -> list[list[int]]:
    """For each repetition: how often each block was drawn, *blocks* draws in all."""
    repetitions = []
    for _ in range(times):
        weights = [0] * blocks
        for number in dice.choices(range(blocks), k=blocks):
            weights[number] += 1
        repetitions.append(weights)
    return repetitions


def quantile_draws(
    histograms: Sequence[Mapping[int, int]], repetitions: Sequence[Sequence[int]], fractions: Sequence[float]
) -> list[tuple[int, ...]]:
    """The quantiles (ns) of each repetition; *histograms*: bucket -> writes, one per block."""
    packed = [b"".join(struct.pack("=II", *pair) for pair in counts.items()) for counts in histograms]
    histogram = Histogram()
    held = [0] * len(packed)
    found = []
    for weights in repetitions:
        # from one repetition to the next only the difference is counted: a third less than from nothing
        for number, (weight, before) in enumerate(zip(weights, held, strict=True)):
            for _ in range(abs(weight - before)):
                histogram.add(packed[number], 1 if weight > before else -1)
        held = list(weights)
        found.append(tuple(histogram.quantiles(fractions)))
    return found


def rate_draws(counts: Sequence[int], lengths_ns: Sequence[int], repetitions: Sequence[Sequence[int]]) -> list[float]:
    """Events per hour of each repetition."""
    rates = []
    for weights in repetitions:
        events = sum(weight * count for weight, count in zip(weights, counts, strict=True))
        length_ns = sum(weight * length for weight, length in zip(weights, lengths_ns, strict=True))
        rates.append(events * 3.6e12 / length_ns)
    return rates


@dataclass(frozen=True, slots=True)
class Basis:
    """What the draws are made from, and how sure the intervals shall be."""

    blocks: int
    """Of the side that has fewer."""
    alike: float = 0.0
    """How much neighbouring blocks still resemble each other (0..1): they tell less than as many independent ones."""

    def reach(self, confidence: float) -> float:
        """How many standard deviations the interval must reach to each side."""
        widened = math.sqrt(self.blocks / (self.blocks - 1) * (1 + self.alike) / (1 - self.alike))
        return widened * student(1 - (1 - confidence) / 2, self.blocks - 1)


def interval(values: Sequence[float], basis: Basis, confidence: float) -> Interval:
    """Where the figure lies, from the repetitions' values.

    Beyond what so many repetitions can show, the outermost are moved out, on a log scale as far as that one asks.
    """
    ordered = sorted(values)
    normal, reach = NormalDist(), basis.reach(confidence)
    left_out = math.floor((1 - normal.cdf(reach)) * (len(ordered) - 1))
    low, middle, high = ordered[left_out], ordered[len(ordered) // 2], ordered[len(ordered) - 1 - left_out]
    if left_out == 0 and low > 0:
        farther = max(1.0, reach / normal.inv_cdf(1 - 1 / len(ordered)))
        low, high = middle * (low / middle) ** farther, middle * (high / middle) ** farther
    return Interval(low, high)


def student(fraction: float, freedom: int) -> float:
    """Quantile of Student's t (Cornish-Fisher; within 1 % from 5 degrees of freedom on)."""
    z = NormalDist().inv_cdf(fraction)
    terms: tuple[float, ...] = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / float(freedom**power) for power, term in enumerate(terms, 1))


def likeness(values: Sequence[float], follows: Sequence[bool]) -> float | None:
    """Correlation of each value with the one before it (-1..1), where one follows the other; None: they never differ."""
    mean = fmean(values)
    spread = fmean((value - mean) ** 2 for value in values)
    pairs = [(values[i - 1] - mean) * (values[i] - mean) for i in range(1, len(values)) if follows[i]]
    return fmean(pairs) / spread if spread > 0 and pairs else None
