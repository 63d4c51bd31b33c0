"""Latency by percentile, both axes logarithmic: the picture in which a long tail is seen. Drawn with plotext."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from wlat_tui.renderables.history import empty_figure, plotting
from wlat_tui.units import format_ns

Curve = Sequence[tuple[float, int]]
"""(fraction of writes that took longer, duration in ns), durations ascending."""
PERCENTILES = ("50", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999")


def percentile_plot(curves: Mapping[str, Curve], width: int, height: int) -> list[str]:
    """Lines of plain text; *curves* by the letter they are drawn with. Empty ones are left out; none at all: no lines."""
    drawn = {letter: [(above, ns) for above, ns in curve if above <= 0.5] for letter, curve in curves.items()}
    points = [point for curve in drawn.values() for point in curve]
    if not points:
        return []
    figure = empty_figure(width, height)
    low = math.floor(math.log10(max(1, min(ns for _, ns in points))))
    high = math.ceil(math.log10(max(10, *(ns for _, ns in points))) + 0.001)
    for letter, curve in drawn.items():
        if curve:
            xs = [-math.log10(above) for above, _ in curve]
            ys = [math.log10(max(1, ns)) for _, ns in curve]
            signal = figure.signal(xs, ys, marker=plotting().marker(letter))
            for index in range(len(xs)):
                signal.line(index, index > 0)
            figure.draw(signal)
    right = max(1.0, -math.log10(min(above for above, _ in points)))
    places = [-math.log10(0.5), *range(1, len(PERCENTILES))]
    names = dict(zip(places, PERCENTILES, strict=True))
    figure.ruler(0, 0).lim(places[0], right)
    shown = [place for place in places if place <= right]
    figure.ruler(0, 0).ticks(shown, [f"p{names[place]}" for place in shown])
    figure.ruler(1, 0).lim(low, high)
    figure.ruler(1, 0).ticks(list(range(low, high + 1)), [f"{format_ns(10**e):>6}" for e in range(low, high + 1)])
    text = plotting().uncolorize(figure.build().string())
    return [line.rstrip() for line in text.rstrip("\n").split("\n")]
