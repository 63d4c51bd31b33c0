"""A comparison as one HTML page that needs no network; made like a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wlat_tui.compare.comparison import Comparison, Population
from wlat_tui.compare.text import SAYS, cells, method
from wlat_tui.report.charts import Chart, percentile_figure
from wlat_tui.report.page import escaped, figure, page, paragraphs, table
from wlat_tui.report.words import Table
from wlat_tui.units import format_ns, format_rate


def comparison_page(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """The page, piece by piece: each comparison is with the same side A. Raises `wlat_tui.report.page.NoLibrary`."""
    drawn: list[Chart] = []
    body: list[str] = []
    for number, comparison in enumerate(comparisons):
        body += _body(comparison, drawn, f"curve{number}")
    names = " and ".join(comparison.b.name for comparison in comparisons)
    return page(f"{names} compared with {comparisons[0].a.name}", body, drawn)


def _body(comparison: Comparison, drawn: list[Chart], prefix: str) -> Iterator[str]:
    a, b, verdict = comparison.a, comparison.b, comparison.verdict
    yield f"<section><h1>{escaped(b.name)} compared with {escaped(a.name)}</h1>\n"
    yield paragraphs([verdict.sentence], "lead") + paragraphs(verdict.reasons)
    yield paragraphs(comparison.warnings, "warn")
    rows = [
        (letter, side.name, format_ns(side.length_ns), f"{side.parts}", format_ns(side.worst_ns), f"{side.stalls:,}")
        for letter, side in (("A", a), ("B", b))
    ]
    yield table(Table(("", "what", "measured for", "in parts", "worst", "stalls"), tuple(rows)), "The two sides")
    for population in comparison.populations:
        yield _population(comparison, population, drawn, f"{prefix}-{population.name.replace(' ', '-')}")
    rate = [(each.name, *cells(each, lambda rate: "n/a" if rate is None else format_rate(rate))) for each in comparison.stalls]
    if rate:
        yield "<h2>Stalls per hour</h2>\n"
        yield table(Table(("", "A", "B", "B / A"), tuple(rate)), "Stalls per hour, by cause")
    yield paragraphs([method(comparison)], "dim") + "</section>\n"


def _population(comparison: Comparison, population: Population, drawn: list[Chart], name: str) -> str:
    span = comparison.a.span.name.lower()
    title = f"{population.name.capitalize()}: {span} time"
    figures = [figure for figure in population.figures if figure.a is not None or figure.b is not None]
    rows = [(each.name, *cells(each, format_ns), SAYS[each.outcome] if each.judged else "") for each in figures]
    heads = ("", f"A ({population.a_writes:,} writes)", f"B ({population.b_writes:,} writes)", "B / A", "says")
    text = f"<h2>{escaped(title)}</h2>\n" + table(Table(heads, tuple(rows)), title)
    curves = [
        (f"{letter}: {side.name}", role, dash, curve)
        for letter, side, role, dash, curve in (
            ("A", comparison.a, "a", "solid", population.a_curve),
            ("B", comparison.b, "b", "dash", population.b_curve),
        )
        if curve
    ]
    plot = percentile_figure(curves)
    if plot is not None:
        label = f"{title} by percentile, A and B in one plot, both axes logarithmic. The table has the figures."
        chart = Chart(name, label, "By percentile, both axes logarithmic; A solid, B dashed.", 360, plot)
        drawn.append(chart)
        text += figure(chart)
    return text
