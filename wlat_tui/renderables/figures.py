"""The table of percentiles."""

from __future__ import annotations

from dataclasses import dataclass

from wlat_tui.frame import WriteClass
from wlat_tui.model.percentiles import Quantiles
from wlat_tui.renderables.line import Line, Role, Span, merged
from wlat_tui.units import format_ns

LABEL_CELLS = 13
CELLS = 8
TABLE_CELLS = LABEL_CELLS + 5 * CELLS
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


def table(figures: Figures, threshold_ns: int, height: int) -> list[Line]:
    """As many rows of the table as *height* allows, most telling first."""
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
    by_class = [_row(CLASS_NAMES[kind], figures.classes.get(kind), threshold_ns) for kind in WriteClass]
    if height >= 10:
        lines.append(())
    if height >= 9:
        lines.append(((f"service {window} by what the write touched", "label"),))
    if height >= len(lines) + len(by_class):
        lines += by_class
    elif height > len(lines):
        lines.append(class_line(figures, threshold_ns))
    return lines[:height]


def class_line(figures: Figures, threshold_ns: int) -> Line:
    """The class split in one row, where the table has no room."""
    spans: list[Span] = [("p99 by page ", "label")]
    for kind, quantiles in figures.classes.items():
        value = None if quantiles is None else quantiles.p99_ns
        spans += [(f" {CLASS_NAMES[kind]} ", "dim"), (format_ns(value), _role(value, threshold_ns))]
    return merged(spans)


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
