"""A comparison for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from wlat_tui.compare.bootstrap import Interval
from wlat_tui.compare.comparison import Comparison, Figure, Outcome
from wlat_tui.renderables.glyphs import printable, terminal_is_utf8, to_ascii
from wlat_tui.renderables.percentile_plot import percentile_plot
from wlat_tui.units import format_ns, format_rate

WIDTH = 100
SAYS = {Outcome.BETTER: "B better", Outcome.WORSE: "B worse", Outcome.SAME: "same", Outcome.UNKNOWN: "cannot tell"}


def lines(comparison: Comparison, width: int = WIDTH) -> Iterator[str]:
    """The verdict first, then what it rests on. Nothing in it can steer a terminal."""
    for line in _lines(comparison, width):
        kept = printable(line)
        yield kept if terminal_is_utf8() else to_ascii(kept)


def _lines(comparison: Comparison, width: int) -> Iterator[str]:
    a, b = comparison.a, comparison.b
    yield from _folded(f"verdict: {comparison.verdict.sentence}", width)
    for reason in comparison.verdict.reasons:
        yield from _folded(f"  {reason}", width)
    yield ""
    for letter, side in (("A", a), ("B", b)):
        parts = f" in {side.parts} parts" if side.parts > 1 else ""
        yield f"{letter}  {side.name}: {format_ns(side.length_ns)}{parts}, worst {format_ns(side.worst_ns)}"
    for warning in comparison.warnings:
        yield from _folded(f"!  {warning}", width)
    yield ""
    yield f"{a.span.name.lower()} time{'':<5}{'A':>26}{'B':>26}{'B / A':>20}"
    for population in comparison.populations:
        yield f"{population.name}  ({population.a_writes:,} | {population.b_writes:,} writes)"
        for figure in population.figures:
            if figure.a is not None or figure.b is not None:
                yield _row(figure, format_ns)
    yield "stalls"
    for figure in comparison.stalls:
        yield _row(figure, lambda rate: "n/a" if rate is None else format_rate(rate))
    if comparison.populations:
        yield ""
        population = comparison.populations[0]
        yield f"{population.name}, {a.span.name.lower()} time by percentile"
        yield from percentile_plot({"A": population.a_curve, "B": population.b_curve}, width, 18)
    yield ""
    yield from _folded(method(comparison), width)


def cells(figure: Figure, form: Callable[[float | None], str]) -> tuple[str, str, str]:
    """A, B and their ratio, each with its interval where there is one."""

    def cell(value: float | None, interval: Interval | None) -> str:
        spread = "" if interval is None else f" [{form(interval.low)}, {form(interval.high)}]"
        return f"{form(value)}{spread}"

    ratio = ""
    if figure.ratio is not None and figure.ratio_interval is not None:
        low, high = figure.ratio_interval.low, figure.ratio_interval.high
        ratio = f"{times(figure.ratio)} [{times(low)}, {times(high)}]"
    return cell(figure.a, figure.a_interval), cell(figure.b, figure.b_interval), ratio


def times(ratio: float) -> str:
    """``1.04``, ``0.37``, ``0.004``: two decimals, or one figure where these would be zero."""
    return f"{ratio:.2f}" if ratio >= 0.095 or ratio == 0 else f"{ratio:.1g}" if ratio >= 1e-3 else "<0.001"


def _row(figure: Figure, form: Callable[[float | None], str]) -> str:
    a, b, ratio = cells(figure, form)
    says = SAYS[figure.outcome] if figure.judged else ""
    return f"  {figure.name:<22}{a:>26}{b:>26}{ratio:>20}  {says}".rstrip()


def method(comparison: Comparison) -> str:
    """Where the intervals come from."""
    if comparison.block_ns is None:
        return "No intervals: there are too few blocks of time to draw from."
    blocks = " and ".join(map(str, comparison.blocks))
    time = format_ns(comparison.block_ns)
    return (
        f"In brackets: 95 % intervals, from drawing {blocks} blocks of {time} again (B / A of what is "
        "judged: 98 % for all of it together). The worst write has no interval: the longer a run, the worse it is."
    )


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent="   ", break_long_words=False) or [""]
