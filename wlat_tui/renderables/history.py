"""The chart the story is told with: worst latency above, headroom of every node below, on one time axis. Drawn with plotext.

plotext costs 80 ms to import and a few ms per plot, so it is imported at the first drawing (after the first screen) and gets
one minimum and maximum per column, never raw points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from wlat_tui.absent import absent
from wlat_tui.causes import Family
from wlat_tui.model.series import Column, MemoryColumn
from wlat_tui.renderables.causes import FAMILY_MARKS, families_in
from wlat_tui.renderables.glyphs import ASCII, Glyphs
from wlat_tui.renderables.latency_strip import LogAxis, short_span
from wlat_tui.renderables.line import NODE_ROLES, Line, Role, Span, fit, merged
from wlat_tui.units import format_bytes

LABEL_CELLS = 7
_RIGHT_AXIS_CELLS = 1
_LATENCY, _THRESHOLD, _MARK, _ZERO = 9, 10, 11, 12
_COLOURS: dict[int, Role] = {_LATENCY: "good", _THRESHOLD: "threshold", _MARK: "mark", _ZERO: "threshold"}
_FAMILY_COLOURS = {family: 13 + number for number, family in enumerate(Family)}
_COLOURS |= {colour: FAMILY_MARKS[family][1] for family, colour in _FAMILY_COLOURS.items()}
_NODE_COLOUR = 21
_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_MOST_NODES = len(NODE_ROLES)
_BOX_TO_ASCII = str.maketrans({"│": "|", "─": "-"} | dict.fromkeys("┤├┼└┘┌┐┬┴", "+"))


@dataclass(frozen=True, slots=True)
class HistoryView:
    """What the chart shows: columns of one time span, reduced already."""

    span_ns: int
    latency: Sequence[Column]
    headroom: Mapping[int, Sequence[MemoryColumn]]
    """Per node, the tightest first."""
    page_bytes: int
    threshold_ns: int
    marks: Mapping[int, Family] = field(default_factory=dict)
    """Column -> family of its stall's cause."""


def canvas_cells(width: int) -> int:
    """Columns of data that a chart of this width shows."""
    return max(2, width - LABEL_CELLS - _RIGHT_AXIS_CELLS)


def history(view: HistoryView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """Draw the two aligned plots. The lower one is left out below 8 rows."""
    with_headroom = height >= 8 and bool(view.headroom)
    upper = height if not with_headroom else (height - 2) // 2
    lines = _latency_plot(view, width, upper, glyphs, bare=with_headroom)
    if with_headroom:
        lines.append(_legend(view, width, glyphs))
        lines += _headroom_plot(view, width, height - upper - 1, glyphs)
    return lines[:height]


def _legend(view: HistoryView, width: int, glyphs: Glyphs) -> Line:
    shown = list(view.headroom)[:_MOST_NODES]
    hidden = len(view.headroom) - len(shown)
    spans: list[Span] = [(" headroom above the low watermark", "label")]
    if hidden:
        spans.append((f" ({hidden} roomier nodes not drawn)", "dim"))
    for index, node in enumerate(shown):
        spans.append((f"  {glyphs.rule * 2} node {node}", NODE_ROLES[index]))
    return fit(merged(spans), width, glyphs.ellipsis)


def _latency_plot(view: HistoryView, width: int, height: int, glyphs: Glyphs, bare: bool) -> list[Line]:
    axis = LogAxis().grown_for(max((c.max_ns for c in view.latency if c.max_ns is not None), default=None))
    figure = empty_figure(width, height)
    xs, ys, joined = _pairs([(c.min_ns, c.max_ns) for c in view.latency], lambda ns: math.log10(max(ns, axis.floor_ns)))
    _threshold_line(figure, math.log10(view.threshold_ns), len(view.latency), _THRESHOLD)
    _draw(figure, xs, ys, joined, _LATENCY, glyphs)
    _causes(figure, view, axis)
    low, high = round(math.log10(axis.floor_ns)), round(math.log10(axis.ceiling_ns))
    labels = axis.labels(max(2, (high - low) + 1))
    figure.ruler(1, 0).lim(low, high)
    ticks = range(high, low - 1, -1 if height > high - low else -2)
    figure.ruler(1, 0).ticks(list(ticks), [f"{_decade(labels, high - e):>{LABEL_CELLS - 1}}" for e in ticks])
    _time_ruler(figure, view, len(view.latency), bare=bare)
    _marks(figure, view, high)
    return _lines(figure, width, glyphs)


def _decade(labels: Mapping[int, str], row: int) -> str:
    return labels.get(row, "")


def _headroom_plot(view: HistoryView, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    figure = empty_figure(width, height)
    count = len(view.latency)
    least, most = 0.0, 0.0
    for columns in list(view.headroom.values())[:_MOST_NODES]:
        values = [c.headroom_pages * view.page_bytes for c in columns if c.headroom_pages is not None]
        least, most = min([least, *values]), max([most, *values])
    if most == least:
        most = least + 1
    _threshold_line(figure, 0.0, count, _ZERO)
    for index, columns in enumerate(list(view.headroom.values())[:_MOST_NODES]):
        lows = [None if c.headroom_pages is None else c.headroom_pages * view.page_bytes for c in columns]
        xs, ys, joined = _pairs([(low, low) for low in lows], float)
        _draw(figure, xs, ys, joined, _NODE_COLOUR + index, glyphs)
    figure.ruler(1, 0).lim(least, most)
    ticks = sorted({least, 0.0, most / 2, most}) if height >= 7 else sorted({least, 0.0, most})
    if least < 0 and -least < (most - least) / max(2, height - 2):
        ticks.remove(least)  # its label would fall on the zero line's
    figure.ruler(1, 0).ticks(ticks, [f"{format_bytes(tick) if tick else '0 low':>{LABEL_CELLS - 1}}" for tick in ticks])
    _time_ruler(figure, view, count, bare=False)
    _marks(figure, view, None)
    return _lines(figure, width, glyphs)


def _pairs(values: Sequence[tuple[int | None, int | None]], scale: Any) -> tuple[list[float], list[float], list[bool]]:
    """Points of a line through each column's minimum and maximum; a missing column breaks the line."""
    xs: list[float] = []
    ys: list[float] = []
    joined: list[bool] = []
    whole = False
    for x, (low, high) in enumerate(values):
        if low is None or high is None:
            whole = False
            continue
        for value in (low,) if low == high else (low, high):
            xs.append(x)
            ys.append(scale(value))
            joined.append(whole)
            whole = True
    return xs, ys, joined


def _draw(figure: Any, xs: list[float], ys: list[float], joined: list[bool], colour: int, glyphs: Glyphs) -> None:
    if not xs:
        return
    plotext = plotting()
    marker = plotext.marker(glyphs.plot_marker, plotext.pixel(foreground=colour))
    signal = figure.signal(xs, ys, marker=marker).lines(True)
    for index, connected in enumerate(joined):
        if not connected:
            signal.line(index, False)
    figure.draw(signal)


def _causes(figure: Any, view: HistoryView, axis: LogAxis) -> None:
    """The letter of each stall's family where its latency is."""
    plotext = plotting()
    for family in families_in(view.marks):
        xs = [x for x, found in view.marks.items() if found is family]
        ys = [math.log10(max(view.latency[x].max_ns or 0, axis.floor_ns)) for x in xs]
        marker = plotext.marker(FAMILY_MARKS[family][0], plotext.pixel(foreground=_FAMILY_COLOURS[family]))
        figure.draw(figure.signal(xs, ys, marker=marker))


def _threshold_line(figure: Any, y: float, count: int, colour: int) -> None:
    plotext = plotting()
    figure.draw(figure.signal([0, count - 1], [y, y], marker=plotext.marker("-", plotext.pixel(foreground=colour))).lines(True))


def _marks(figure: Any, view: HistoryView, label_y: float | None) -> None:
    plotext = plotting()
    free_from = 0
    for x, column in enumerate(view.latency):
        if not column.marks:
            continue
        figure.line(x, orientation=1, pixel=plotext.pixel(foreground=_MARK))
        names = ", ".join(
            dict.fromkeys(
                # an experiment's phases are known by their side alone
                mark.name if mark.after is None or mark.kind == "phase" else f"{mark.name}={mark.after}"
                for mark in column.marks
            )
        )
        if label_y is not None and x >= free_from:
            text = plotext.colorize(names).fill(plotext.pixel(foreground=_MARK))
            figure.draw(figure.text(x + 1, label_y, text, alignment="left"))
            free_from = x + len(names) + 2


def _time_ruler(figure: Any, view: HistoryView, count: int, bare: bool) -> None:
    ruler = figure.ruler(0, 0)
    ruler.lim(0, max(1, count - 1))
    if bare:  # the plot below has the same axis
        ruler.ticks([])
        figure.axes(False, axis=[0], side=[0])
        return
    parts = 4 if count > 60 else 2
    places = [(count - 1) * i / parts for i in range(parts + 1)]
    names = [f"{short_span(view.span_ns * (parts - i) // parts)} ago" for i in range(parts)] + ["now"]
    ruler.ticks(places, names)


def empty_figure(width: int, height: int) -> Any:
    """A plot of this size with axes below and on the left."""
    figure = plotting().figure
    figure.clear()
    figure.plot_size(width, height)
    figure.theme("colorless")
    figure.axes(False, axis=[0], side=[1])
    figure.axes(False, axis=[1], side=[1])
    return figure


def _lines(figure: Any, width: int, glyphs: Glyphs) -> list[Line]:
    text = figure.build().string().rstrip("\n")
    if glyphs is ASCII:
        text = text.translate(_BOX_TO_ASCII)  # plotext has plain markers but no plain axes
    return [fit(_spans(row), width, "") for row in text.split("\n")]


def _spans(row: str) -> Line:
    """Turn plotext's colour codes (our own numbers) back into roles."""
    spans: list[Span] = []
    role: Role = "dim"
    end = 0
    for match in _SGR.finditer(row):
        spans.append((row[end : match.start()], role))
        role = _role_of(match[1])
        end = match.end()
    spans.append((row[end:], role))
    return merged(spans)


def _role_of(codes: str) -> Role:
    if not codes.startswith("38;5;"):
        return "dim"
    colour = int(codes.split(";")[2])
    return _COLOURS.get(colour) or NODE_ROLES[(colour - _NODE_COLOUR) % _MOST_NODES]


@cache
def plotting() -> Any:
    """The library, imported at the first drawing, without its manual, its tests and OpenSSL: half of its time and room.

    And without what it can draw pictures and films with, where that happens to be installed.
    """
    with absent("_hashlib", "PIL", "ffpyplayer", "yt_dlp", empty=("plotext._doc.doc", "plotext._tests.run")):
        import plotext

    plotext.terminal.limit(False, False)  # our size counts, not the terminal's that plotext finds
    return plotext
