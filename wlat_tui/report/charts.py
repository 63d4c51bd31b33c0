"""The page's charts as plain data for plotly.js: traces and axes, without colours (the page has light and dark ones).

A trace's ``meta`` names what it is drawn as; ``report.js`` gives it its colour. plotly.js reads a little markup in texts (b, i,
a with an address), so whatever comes from the recording goes through `shown`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wlat_tui.frame import Span, WriteClass
from wlat_tui.model.stalls import Explained
from wlat_tui.renderables.glyphs import printable
from wlat_tui.report.digest import HEAT_COLUMNS, Digest, row_middle_ns
from wlat_tui.report.words import clock
from wlat_tui.units import format_ns

Figure = dict[str, Any]
Curve = Sequence[tuple[float, int]]
MOST_NODES = 8
_GIB = 1 << 30
_WORST = {"name": "worst write()", "meta": "worst"}


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart of the page."""

    name: str
    label: str
    """What it shows, for those who cannot see it."""
    caption: str
    height_px: int
    figure: Figure


def shown(text: str) -> str:
    """As plotly.js has to be given it."""
    return html.escape(printable(text), quote=False)


def charts(digest: Digest) -> list[Chart]:
    """All that there is data for."""
    found = [_timeline(digest), _distribution(digest), _heat(digest)]
    return [chart for chart in found if chart is not None]


def _timeline(digest: Digest) -> Chart | None:
    columns = [(i, column) for i, column in enumerate(digest.columns) if column is not None]
    if not columns:
        return None
    width_ns = (digest.end_ns - digest.begin_ns) / len(digest.columns)
    middles = [digest.begin_ns + round((i + 0.5) * width_ns) for i, _ in columns]
    worst = [column.worst_ns.get(Span.SERVICE) for _, column in columns]
    traces: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "line": {"width": 1.3},
            "yaxis": "y",
            **_WORST,
            **_broken(digest, middles, worst, writer=True),
        }
    ]
    stalls = digest.longest
    if stalls:
        traces.append(_stalls(digest, stalls))
    traces += _headroom(digest, middles, [column.headroom_pages for _, column in columns])
    traces += _marks(digest)
    values = [value for value in worst if value] + [stall.write.service_ns for stall in stalls]
    latency = {**_latency_axis(values), "domain": [0.46, 1.0], "title": {"text": "worst write()"}}
    layout = {
        "xaxis": {"type": "date", "anchor": "y2", "title": {"text": f"time of day, {_zone(digest)}"}},
        "yaxis": latency,
        "yaxis2": {"domain": [0.0, 0.4], "title": {"text": "headroom, GiB"}, "zeroline": True},
        **_threshold_and_marks(digest),
    }
    slowest = format_ns(max(values, default=None))
    return Chart(
        name="timeline",
        label=(
            f"Worst write() of each moment, up to {slowest}, above the headroom of each memory node, on one time axis. "
            "The tables below have the figures."
        ),
        caption=(
            "The worst write() of each moment (above, logarithmic; dotted: the stall threshold) and what each node has free "
            "above its low watermark (below). Numbered lines are marks, listed under the chart. Zoom by dragging or with the "
            "buttons; the house, or a double click, goes back."
        ),
        height_px=520,
        figure={"data": traces, "layout": layout},
    )


def _stalls(digest: Digest, stalls: Sequence[Explained]) -> Figure:
    """A ring for each, with its cause."""
    return {
        "type": "scatter",
        "mode": "markers",
        "marker": {"size": 6, "symbol": "circle-open"},
        "name": "stalls by cause",
        "meta": "stall",
        "x": [_ms(digest, stall.write.begin_ns) for stall in stalls],
        "y": [stall.write.service_ns for stall in stalls],
        "text": [
            f"{format_ns(stall.write.service_ns)} at {clock(digest, stall.write.begin_ns)}: {shown(stall.cause.title)}"
            for stall in stalls
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "yaxis": "y",
    }


def _threshold_and_marks(digest: Digest) -> Figure:
    """Lines of a layout: dotted across, and dashed with a number for each mark."""
    threshold_ns = digest.session.settings.threshold_ns
    return {
        "shapes": [
            {
                **{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": "y"},
                **{"y0": threshold_ns, "y1": threshold_ns},
                "line": {"width": 1, "dash": "dot"},
            },
            *(
                {
                    **{"type": "line", "yref": "paper", "y0": 0, "y1": 1, "xref": "x"},
                    **{"x0": _ms(digest, mark.at_ns), "x1": _ms(digest, mark.at_ns)},
                    "line": {"width": 1, "dash": "dash"},
                }
                for mark in digest.session.marks
            ),
        ],
        "annotations": [
            {
                **{"xref": "x", "yref": "paper", "x": _ms(digest, mark.at_ns), "y": 1.0, "yanchor": "top"},
                **{"text": str(number), "xanchor": "left", "showarrow": False, "hovertext": shown(mark.text)},
            }
            for number, mark in enumerate(digest.session.marks, 1)
        ],
    }


def _headroom(digest: Digest, middles: list[int], columns: list[dict[int, int]]) -> list[Figure]:
    host = digest.session.host
    if host is None:
        return []
    nodes = sorted({node for column in columns for node in column})
    traces = []
    for node in nodes[:MOST_NODES]:
        values = [None if (pages := column.get(node)) is None else pages * host.page_bytes / _GIB for column in columns]
        line = _broken(digest, middles, values, writer=False)
        line["text"] = [None if value is None else f"node {node}: {value:.3g} GiB above low" for value in line["y"]]
        traces.append(
            {"type": "scatter", "mode": "lines", "name": f"node {node}", "meta": f"node{node % 8}", "yaxis": "y2", **line}
        )
    return traces


def _marks(digest: Digest) -> list[Figure]:
    """A point on each mark's line, to be pointed at."""
    marks = list(digest.session.marks)
    if not marks:
        return []
    return [
        {
            **{"type": "scatter", "mode": "markers", "name": "marks", "meta": "mark", "showlegend": False, "yaxis": "y"},
            "x": [_ms(digest, mark.at_ns) for mark in marks],
            "y": [digest.session.settings.threshold_ns] * len(marks),
            "text": [f"{number}: {shown(mark.text)}" for number, mark in enumerate(marks, 1)],
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"size": 7, "symbol": "diamond"},
        }
    ]


def _broken(digest: Digest, at_ns: list[int], values: Sequence[float | None], *, writer: bool) -> Figure:
    """x, y and hover text of a line that ends where a gap begins."""
    gaps = [gap for gap in digest.session.gaps if writer or not gap.writer_only]
    xs: list[int] = []
    ys: list[float | None] = []
    before = None
    for moment, value in zip(at_ns, values, strict=True):
        if before is not None and any(gap.begin_ns < moment and gap.end_ns > before for gap in gaps):
            xs.append(_ms(digest, (before + moment) // 2))
            ys.append(None)
        if value is not None:
            xs.append(_ms(digest, moment))
            ys.append(value if not isinstance(value, float) else round(value, 5))
            before = moment
    texts = [None if y is None else format_ns(y) for y in ys] if writer else None
    return {"x": xs, "y": ys, "text": texts, "hovertemplate": "%{text}<extra></extra>", "connectgaps": False}


def _distribution(digest: Digest) -> Chart | None:
    curves = [
        (name, role, dash, digest.curve(span, kind))
        for name, role, dash, span, kind in (
            ("in-page", "class0", "solid", Span.SERVICE, WriteClass.IN_PAGE),
            ("new-page", "class1", "solid", Span.SERVICE, WriteClass.NEW_PAGE),
            ("prepared", "class2", "solid", Span.SERVICE, WriteClass.PREPARED),
            ("all, response", "worst", "dash", Span.RESPONSE, None),
        )
    ]
    figure = percentile_figure([(name, role, dash, curve) for name, role, dash, curve in curves if curve])
    if figure is None:
        return None
    return Chart(
        name="distribution",
        label="Latency by percentile for each class of writes, both axes logarithmic. The first table has the figures.",
        caption=(
            "Latency by percentile (both axes logarithmic), service time by class of write, and response time of all: where a "
            "line climbs, so many writes in a hundred, a thousand, a million were slower."
        ),
        height_px=420,
        figure=figure,
    )


def percentile_figure(curves: Sequence[tuple[str, str, str, Curve]]) -> Figure | None:
    """A percentile plot. *curves*: (name, role, dash, points); None: no points at all."""
    if not any(curve for *_, curve in curves):
        return None
    traces = []
    for name, role, dash, curve in curves:
        traces.append(
            {
                **{"type": "scatter", "mode": "lines", "name": shown(name), "meta": role, "line": {"width": 2, "dash": dash}},
                "x": [round(1 / above, 3) for above, _ in curve],
                "y": [max(1, ns) for _, ns in curve],
                "text": [f"{shown(name)}, p{100 * (1 - above):.6g}: {format_ns(ns)}" for above, ns in curve],
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    most = max(1 / curve[-1][0] for *_, curve in curves if curve)
    decades = range(1, max(2, math.ceil(math.log10(most)) + 1))
    axis = {
        "type": "log",
        "tickvals": [1, 2, *(10**n for n in decades)],
        "ticktext": ["min", "p50", *(f"p{100 - 10.0 ** (2 - n):.{max(0, n - 2)}f}" for n in decades)],
        "title": {"text": "percentile"},
    }
    values = [ns for *_, curve in curves for _, ns in curve]
    return {"data": traces, "layout": {"xaxis": axis, "yaxis": {**_latency_axis(values), "title": {"text": "latency"}}}}


def _heat(digest: Digest) -> Chart | None:
    used = sorted({row for column in digest.heat if column for row in column})
    if not used:
        return None
    rows = range(used[0], used[-1] + 1)
    columns = digest.heat
    width_ns = (digest.end_ns - digest.begin_ns) / HEAT_COLUMNS
    begins = [digest.begin_ns + round(i * width_ns) for i in range(HEAT_COLUMNS)]
    counts = [[column[row] if column else 0 for column in columns] for row in rows]
    figure = {
        "data": [
            {
                **{"type": "heatmap", "meta": "heat", "zsmooth": False, "hoverongaps": False},
                "x": [_ms(digest, begin + round(width_ns / 2)) for begin in begins],
                "y": [row_middle_ns(row) for row in rows],
                "z": [[round(math.log10(count), 3) if count else None for count in row] for row in counts],
                "text": [
                    [f"{count:,} writes of about {format_ns(row_middle_ns(row))}" if count else "" for count in cells]
                    for row, cells in zip(rows, counts, strict=True)
                ],
                "hovertemplate": "%{text}<extra></extra>",
                "colorbar": {"title": {"text": "writes"}, "tickvals": list(range(10)), "ticktext": _powers(), "thickness": 12},
            }
        ],
        "layout": {
            "xaxis": {"type": "date", "title": {"text": f"time of day, {_zone(digest)}"}},
            "yaxis": {**_latency_axis([row_middle_ns(used[0]), row_middle_ns(used[-1])]), "title": {"text": "service time"}},
        },
    }
    return Chart(
        name="heat",
        label="How many writes took how long at which time, as a heat map. The table of percentiles has the figures.",
        caption="How many writes (colour, logarithmic) took how long (up, logarithmic) at which time. Empty: none.",
        height_px=380,
        figure=figure,
    )


def _powers() -> list[str]:
    return ["1", "10", "100", "1,000", "10k", "100k", "1M", "10M", "100M", "1G"]


def _latency_axis(values: Sequence[float]) -> Figure:
    """A logarithmic axis with a tick for each power of ten, named by its unit."""
    low = math.floor(math.log10(max(1, min(values, default=100))))
    high = math.ceil(math.log10(max(10, max(values, default=1e6))))
    names = {n: f"{10 ** (n % 3)} {['ns', 'µs', 'ms', 's'][min(3, n // 3)]}" for n in range(low, high + 1)}
    if high >= 12:
        names |= {n: f"{10 ** (n - 9):,} s" for n in range(12, high + 1)}
    return {"type": "log", "tickvals": [10**n for n in names], "ticktext": list(names.values()), "range": [low, high + 0.05]}


def _ms(digest: Digest, at_ns: int) -> int:
    """Milliseconds that plotly.js shows as local time of day: it takes them for UTC."""
    wall_ns = digest.wall_ns(at_ns)
    offset = datetime.fromtimestamp((digest.begin_wall_ns or 0) / 1e9).astimezone().utcoffset()
    return round(wall_ns / 1e6 + (0 if offset is None else offset.total_seconds() * 1e3))


def _zone(digest: Digest) -> str:
    return datetime.fromtimestamp((digest.begin_wall_ns or 0) / 1e9).astimezone().tzname() or "local"
