"""The table of percentiles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from wlat_tui.frame import WriteClass
from wlat_tui.model.percentiles import Quantiles
from wlat_tui.renderables.line import Line, Role, Span, merged
from wlat_tui.units import format_ns

LABEL_CELLS = 12
CELLS = 8
TABLE_CELLS = LABEL_CELLS + 5 * CELLS
CLASS_COLUMN_CELLS = 3 + 9 + 2 * CELLS
CLASS_NAMES = {WriteClass.IN_PAGE: "in-page", WriteClass.NEW_PAGE: "new-page", WriteClass.PREPARED: "prepared"}


@dataclass(frozen=True, slots=True)
class Figures:
    """Quantiles of the window and of the whole session, as they were when the panel was told."""

    window_s: float
    service: tuple[Quantiles | None, Quantiles | None]
    """Window, session."""
    response: tuple[Quantiles | None, Quantiles | None]
    classes: dict[WriteClass, Quantiles | None]
    """Service in the window by class."""


def table(figures: Figures, threshold_ns: int, width: int, height: int) -> list[Line]:
    """As many rows of the table as *height* allows; the class split goes below, or beside where there is room."""
    window = f"{figures.window_s:g}s"
    head: Line = (
        (f"{'':<{LABEL_CELLS}}", ""),
        *((f"{name:>{CELLS}}", "label") for name in ("p50", "p99", "p99.9", "p99.99", "max")),
    )
    lines = [
        merged(head),
        _row(f"service {window}", figures.service[0], threshold_ns),
        _row("  session", figures.service[1], threshold_ns),
        _row(f"response {window}", figures.response[0], threshold_ns),
        _row("  session", figures.response[1], threshold_ns),
    ]
    if height < len(lines) + 4:
        right = _class_column(figures, threshold_ns)
        if width >= TABLE_CELLS + CLASS_COLUMN_CELLS:
            lines = [(*line, ("   ", ""), *beside) for line, beside in zip_longest(lines, right, fillvalue=())]
        return lines[:height]
    if height > len(lines) + 4:
        lines.append(())
    lines.append(((f"service {window} by what the write touched", "label"),))
    lines += [_row(CLASS_NAMES[kind], figures.classes.get(kind), threshold_ns) for kind in WriteClass]
    return lines[:height]


def _class_column(figures: Figures, threshold_ns: int) -> list[Line]:
    """The class split where the table has no rows left: its p99 and maximum, beside the table."""
    rows: list[Line] = [((f"{'by page':<9}{'p99':>{CELLS}}{'max':>{CELLS}}", "label"),)]
    for kind in WriteClass:
        quantiles = figures.classes.get(kind)
        values = (None, None) if quantiles is None else (quantiles.p99_ns, quantiles.max_ns)
        cells: list[Span] = [(f"{format_ns(value):>{CELLS}}", _role(value, threshold_ns)) for value in values]
        rows.append(merged([(f"{CLASS_NAMES[kind]:<9}", "dim"), *cells]))
    return rows


def _row(name: str, quantiles: Quantiles | None, threshold_ns: int) -> Line:
    spans: list[Span] = [(f"{name:<{LABEL_CELLS}}", "label" if not name.startswith(" ") else "dim")]
    values = (
        (None,) * 5
        if quantiles is None
        else (quantiles.p50_ns, quantiles.p99_ns, quantiles.p999_ns, quantiles.p9999_ns, quantiles.max_ns)
    )
    spans += [(f"{format_ns(value):>{CELLS}}", _role(value, threshold_ns)) for value in values]
    return merged(spans)


def _role(value: int | None, threshold_ns: int) -> Role:
    return "dim" if value is None else "worst" if value > threshold_ns else ""
