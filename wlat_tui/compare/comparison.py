"""What two sides have to say about each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from wlat_tui.causes import cause_named
from wlat_tui.compare.bootstrap import (
    Basis,
    Interval,
    draws,
    interval,
    likeness,
    quantile_draws,
    rate_draws,
)
from wlat_tui.compare.differences import warnings
from wlat_tui.compare.side import Block, Side, grouped, total
from wlat_tui.frame import WriteClass
from wlat_tui.histogram import Histogram
from wlat_tui.units import format_ns, format_rate

BEGIN_PAGE = (WriteClass.NEW_PAGE, WriteClass.PREPARED)
POPULATIONS: tuple[tuple[str, tuple[WriteClass, ...]], ...] = (
    ("all writes", tuple(WriteClass)),
    ("page-beginning", BEGIN_PAGE),
    ("in-page", (WriteClass.IN_PAGE,)),
    ("new-page", (WriteClass.NEW_PAGE,)),
    ("prepared", (WriteClass.PREPARED,)),
)
JUDGED_POPULATION = "page-beginning"
FRACTIONS = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "p99.99": 0.9999}
JUDGED = ("p50", "p99", "p99.9")
"""Of the page-beginning writes, the ones that memory can hold up; with the stalls, the verdict rests on these."""
BEYOND = 10
"""Writes that must lie above a percentile on each side: with fewer its interval means nothing."""
FEWEST_BLOCKS, MOST_BLOCKS = 12, 24
SHORTEST_NS = 2_000_000_000
ALIKE = 0.3
"""Neighbouring blocks that resemble each other more than this are put together."""
FEWEST_STALLS = 10
CONFIDENCE = 0.95
JOINT_CONFIDENCE = 0.98
"""For everything that is judged together: so sure a difference is when it is called one."""
SMALL = 1.05
"""Ratios below this do not matter to anybody, however sure they are."""
WIDE = 1.5
"""An interval that reaches farther leaves room for a difference that would matter."""
REPETITIONS = 2_000
CURVE_POINTS = 160


class Outcome(StrEnum):
    """What B is, seen from A."""

    BETTER = "better"
    WORSE = "worse"
    MIXED = "better in some, worse in others"
    SAME = "no difference"
    UNKNOWN = "not enough data"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure on both sides. None: a side has too few writes for it."""

    name: str
    a: float | None
    b: float | None
    a_interval: Interval | None = None
    b_interval: Interval | None = None
    """95 %."""
    ratio: float | None = None
    """b / a."""
    ratio_interval: Interval | None = None
    """95 %, or for judged figures as much more as makes 98 % for all of them together."""
    judged: bool = False

    @property
    def outcome(self) -> Outcome:
        """What this figure says by itself."""
        if self.ratio is None or self.ratio_interval is None:
            return Outcome.UNKNOWN
        if self.ratio_interval.holds(1.0) or 1 / SMALL < self.ratio < SMALL:
            return Outcome.SAME if self.ratio_interval.low >= 1 / WIDE and self.ratio_interval.high <= WIDE else Outcome.UNKNOWN
        return Outcome.BETTER if self.ratio < 1 else Outcome.WORSE


@dataclass(frozen=True, slots=True)
class Population:
    """Some of the writes."""

    name: str
    a_writes: int
    b_writes: int
    figures: tuple[Figure, ...]
    a_curve: tuple[tuple[float, int], ...]
    """(fraction of writes above, duration in ns), from 1 down to the slowest write."""
    b_curve: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison in words."""

    outcome: Outcome
    sentence: str
    reasons: tuple[str, ...]
    """What it rests on, or what is missing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything two sides have to say about each other."""

    a: Side
    b: Side
    populations: tuple[Population, ...]
    stalls: tuple[Figure, ...]
    """Per hour: all of them, then by cause."""
    block_ns: int | None
    """Length of the blocks that were drawn again; None: too few, no intervals."""
    blocks: tuple[int, int]
    warnings: tuple[str, ...]
    """In what else the sides differ, one sentence each."""
    verdict: Verdict


def compare(a: Side, b: Side, *, seed: int = 1, repetitions: int = REPETITIONS, about: Collection[str] = ()) -> Comparison:
    """Compare two sides. The same sides and seed give the same result.

    Args:
        a: the side to compare with.
        b: the side to judge.
        seed: of the draws.
        repetitions: draws per side; the tails get rough below a thousand.
        about: mitigations the sides are meant to differ in; no warning of these.

    Raises:
        ValueError: the sides hold different spans (service, response).
    """
    if a.span is not b.span:
        raise ValueError(f"{a.span.name.lower()} time cannot be compared with {b.span.name.lower()} time")
    dice = Random(seed)
    block_ns, alike, trouble = _block_length(a.blocks, b.blocks)
    sides = [grouped(side.blocks, block_ns) if block_ns else [] for side in (a, b)]
    repeated = [draws(len(blocks), repetitions, dice) if block_ns else [] for blocks in sides]
    drawn = _Drawn(sides[0], sides[1], repeated[0], repeated[1], Basis(min(map(len, sides)), alike))
    populations = tuple(_population(name, classes, (a, b), drawn) for name, classes in _populated(a, b))
    stalls = _stall_figures(a, b, drawn)
    return Comparison(
        a=a,
        b=b,
        populations=populations,
        stalls=stalls,
        block_ns=block_ns,
        blocks=(len(sides[0]), len(sides[1])),
        warnings=tuple(warnings(a, b, about)),
        verdict=_verdict(a, b, populations, stalls, trouble),
    )


@dataclass(frozen=True, slots=True)
class _Drawn:
    a: Sequence[Block]
    b: Sequence[Block]
    a_draws: Sequence[Sequence[int]]
    b_draws: Sequence[Sequence[int]]
    basis: Basis


def _block_length(a: list[Block], b: list[Block]) -> tuple[int | None, float, str | None]:
    """(length of blocks, how much they still resemble their neighbours, what a longer run would help); None: too few."""
    shortest_ns = min(sum(block.length_ns for block in blocks) for blocks in (a, b))
    length_ns = max(SHORTEST_NS, shortest_ns // MOST_BLOCKS)
    if min(len(grouped(blocks, length_ns)) for blocks in (a, b)) < FEWEST_BLOCKS:
        return None, 0.0, _too_few(a, b, length_ns)
    levels = _levels([*a, *b])
    while True:
        alike = max(0.0, *(_alike(grouped(blocks, length_ns), levels) for blocks in (a, b)))
        if alike <= ALIKE:
            return length_ns, alike, None
        if min(len(grouped(blocks, 2 * length_ns)) for blocks in (a, b)) < FEWEST_BLOCKS:
            time = format_ns(length_ns)
            return (
                length_ns,
                min(alike, 0.9),
                f"any {time} resemble the {time} before (bursts, or a drift): a longer run tells more",
            )
        length_ns *= 2


def _too_few(a: list[Block], b: list[Block], length_ns: int) -> str:
    """Why no figure has an interval, of the side that has least to draw from."""
    blocks, time_ns = min((len(grouped(side, length_ns)), sum(block.length_ns for block in side)) for side in (a, b))
    if time_ns < FEWEST_BLOCKS * length_ns:
        return (
            f"the shorter side has {format_ns(time_ns)} of writing, and {format_ns(FEWEST_BLOCKS * length_ns)} are needed at"
            " least"
        )
    # ticks are not cut, and holes end a block
    return (
        f"one side has {format_ns(time_ns)} of writing, which falls into {blocks} stretches of {format_ns(length_ns)} or more,"
        f" and {FEWEST_BLOCKS} are needed at least"
    )


def _levels(blocks: list[Block]) -> list[int]:
    """Buckets above which half, and 1 %, of all page-beginning writes lie."""
    counts = total(blocks, BEGIN_PAGE)
    writes = sum(counts.values())
    found: list[int] = []
    below = 0
    for index in sorted(counts):
        below += counts[index]
        if len(found) < 1 and 2 * below >= writes:
            found.append(index)
        if 100 * below >= 99 * writes:
            return [*found, index]
    return found


def _alike(blocks: list[Block], levels: Sequence[int]) -> float:
    """How much blocks resemble their predecessors, in slow writes or in the typical one: the larger."""
    follows = [i > 0 and blocks[i - 1].part == block.part for i, block in enumerate(blocks)]
    if sum(follows) < FEWEST_BLOCKS - 1:
        return 0.0  # parts this short: each block starts anew
    found = [0.0]
    for level in levels:
        shares = []
        for block in blocks:
            counts = [block.counts[kind] for kind in BEGIN_PAGE if kind in block.counts]
            writes = sum(sum(each.values()) for each in counts)
            over = sum(count for each in counts for index, count in each.items() if index > level)
            shares.append(over / writes if writes else 0.0)
        if (alike := likeness(shares, follows)) is not None:
            found.append(alike + 1 / len(blocks))  # its own bias: of chance alone it would be -1/n
    return max(found)


def _populated(a: Side, b: Side) -> Iterator[tuple[str, tuple[WriteClass, ...]]]:
    """The populations that have any writes and are not the same writes as one before."""
    there = {kind for block in (*a.blocks, *b.blocks) for kind, counts in block.counts.items() if counts}
    seen: list[set[WriteClass]] = [set()]
    for name, classes in sorted(POPULATIONS, key=lambda population: population[0] != JUDGED_POPULATION):
        if (mine := there.intersection(classes)) not in seen:
            seen.append(mine)
            yield name, classes


def _population(name: str, classes: tuple[WriteClass, ...], sides: tuple[Side, Side], drawn: _Drawn) -> Population:
    whole = [total(side.blocks, classes) for side in sides]
    writes = [sum(counts.values()) for counts in whole]
    judged = len(JUDGED) + 1 if name == JUDGED_POPULATION else 0
    known = [[quantile for quantile in FRACTIONS if _enough(quantile, count)] for count in writes]
    values = [dict(zip(names, _quantiles(counts, names), strict=True)) for names, counts in zip(known, whole, strict=True)]
    both = [quantile for quantile in known[0] if quantile in known[1]]
    again: list[list[tuple[int, ...]]] = [[], []]
    if drawn.basis.blocks and both:
        fractions = [FRACTIONS[quantile] for quantile in both]
        for i, (blocks, repetitions) in enumerate(((drawn.a, drawn.a_draws), (drawn.b, drawn.b_draws))):
            again[i] = quantile_draws([total((block,), classes) for block in blocks], repetitions, fractions)
    figures = []
    for quantile in FRACTIONS:
        a, b = (side.get(quantile) for side in values)
        if quantile not in both or not again[0]:
            figures.append(Figure(quantile, a, b))
            continue
        at = both.index(quantile)
        is_judged = judged > 0 and quantile in JUDGED
        drawn_values = [[float(values[at]) for values in repetitions] for repetitions in again]
        if not all(all(values) for values in drawn_values):  # draws without any such write: they come in too few blocks
            figures.append(Figure(quantile, a, b))
            continue
        figures.append(_figure(quantile, a, b, drawn_values, drawn.basis, judged if is_judged else 0))
    return Population(name, writes[0], writes[1], tuple(figures), _curve(whole[0]), _curve(whole[1]))


def _figure(name: str, a: float | None, b: float | None, drawn: Sequence[Sequence[float]], basis: Basis, judged: int) -> Figure:
    """*judged*: how many figures are judged together; 0: this one is not."""
    confidence = 1 - (1 - JOINT_CONFIDENCE) / judged if judged else CONFIDENCE
    ratios = [y / x for x, y in zip(*drawn, strict=True) if x > 0]
    whole = len(ratios) == len(drawn[0])  # else some draw has none: the ratio has no upper end
    return Figure(
        name,
        a,
        b,
        interval(drawn[0], basis, CONFIDENCE),
        interval(drawn[1], basis, CONFIDENCE),
        b / a if a and b is not None else None,
        interval(ratios, basis, confidence) if whole and a else None,
        judged > 0,
    )


def _enough(quantile: str, writes: int) -> bool:
    return writes * (1 - FRACTIONS[quantile]) >= BEYOND - 0.001


def _quantiles(counts: Mapping[int, int], names: Sequence[str]) -> list[int]:
    if not names:
        return []
    return _histogram(counts).quantiles([FRACTIONS[name] for name in names])


def _histogram(counts: Mapping[int, int]) -> Histogram:
    histogram = Histogram()
    histogram.count(counts)
    return histogram


def _curve(counts: Mapping[int, int]) -> tuple[tuple[float, int], ...]:
    """Points for a percentile plot: evenly spaced on its log axis, and the last write by itself."""
    writes = sum(counts.values())
    if not writes:
        return ()
    above = [writes ** (-i / CURVE_POINTS) for i in range(CURVE_POINTS + 1)]
    return tuple(zip(above, _histogram(counts).quantiles([*(1 - share for share in above[:-1]), 1.0]), strict=True))


def _stall_figures(a: Side, b: Side, drawn: _Drawn) -> tuple[Figure, ...]:
    """Stalls per hour: all of them, which have no interval when there are few, then by cause; then late wakes."""
    hours = [side.length_ns / 3.6e12 for side in (a, b)]
    if not all(hours):
        return ()
    late = (a.late_wakes / hours[0], b.late_wakes / hours[1])
    late_wakes = (Figure("late wakes per hour", *late),) if any(late) else ()
    return (_all_stalls(a, b, hours, drawn), *_by_cause(a, b, hours), *late_wakes)


def _by_cause(a: Side, b: Side, hours: Sequence[float]) -> Iterator[Figure]:
    """Most first. Without intervals: by cause there are too few stalls for them."""
    told = [Counter(side.causes) for side in (a, b)]
    for counts, side in zip(told, (a, b), strict=True):
        counts["not told apart"] = max(0, side.stalls - counts.total())
    for name, _ in (told[0] + told[1]).most_common():
        title = name if name == "not told apart" else cause_named(name).title
        yield Figure(title, told[0][name] / hours[0], told[1][name] / hours[1])


def _all_stalls(a: Side, b: Side, hours: Sequence[float], drawn: _Drawn) -> Figure:
    rates = (a.stalls / hours[0], b.stalls / hours[1])
    if not drawn.basis.blocks or max(a.stalls, b.stalls) < FEWEST_STALLS:
        return Figure("stalls per hour", *rates)
    again = [
        rate_draws([block.stalls for block in blocks], [block.length_ns for block in blocks], repetitions)
        for blocks, repetitions in ((drawn.a, drawn.a_draws), (drawn.b, drawn.b_draws))
    ]
    if min(a.stalls, b.stalls) == 0:
        # none seen is not none possible: three more would not surprise (the rule of three)
        again = [[max(rate, 3 / hour) for rate in rates] for rates, hour in zip(again, hours, strict=True)]
    return _figure("stalls per hour", *rates, again, drawn.basis, len(JUDGED) + 1)


def _verdict(a: Side, b: Side, populations: Sequence[Population], stalls: Sequence[Figure], trouble: str | None) -> Verdict:
    pages = next((population for population in populations if population.name == JUDGED_POPULATION), None)
    if pages is None or not any(figure.judged for figure in pages.figures):
        few = trouble or f"{pages.name} writes: {pages.a_writes} | {pages.b_writes}" if pages else "no write began a page"
        return Verdict(Outcome.UNKNOWN, "Not enough data to tell.", (few,))
    judged = [figure for figure in (*pages.figures, *stalls) if figure.judged]
    found = {outcome: [figure for figure in judged if figure.outcome is outcome] for outcome in Outcome}
    better, worse = found[Outcome.BETTER], found[Outcome.WORSE]
    reasons = (*(_reason(figure) for figure in judged), *([trouble] if trouble else []))
    if better and worse:
        sentence = f"{b.name} is better in {_names(better)} and worse in {_names(worse)} than {a.name}."
        return Verdict(Outcome.MIXED, sentence, reasons)
    if better or worse:
        outcome = Outcome.BETTER if better else Outcome.WORSE
        return Verdict(outcome, f"{b.name} is {outcome} than {a.name} in {_names(better or worse)}.", reasons)
    firm = next((figure for figure in judged if figure.name == "p99"), None)
    if firm is not None and firm.outcome is Outcome.SAME and firm.ratio_interval is not None:
        sentence = f"No difference that these data could show between {a.name} and {b.name}."
        return Verdict(Outcome.SAME, sentence, reasons)
    missing = "too few page-beginning writes for p99" if firm is None else "p99 varies too much from block to block"
    return Verdict(Outcome.UNKNOWN, "Not enough data to tell.", (missing, *reasons))


def _names(figures: Sequence[Figure]) -> str:
    return " and ".join(figure.name for figure in figures)


def _reason(figure: Figure) -> str:
    """``p99 of page-beginning writes: 12.1us -> 4.03us, 0.31 to 0.36 times``."""
    stalls = figure.name.startswith("stalls")
    name = figure.name if stalls else f"{figure.name} of page-beginning writes"
    a, b = (format_rate(value or 0) if stalls else format_ns(value) for value in (figure.a, figure.b))
    if figure.ratio_interval is None:
        return f"{name}: {a} -> {b}, no ratio"
    low, high = figure.ratio_interval.low, figure.ratio_interval.high
    return f"{name}: {a} -> {b}, {low:.3g} to {high:.3g} times"
