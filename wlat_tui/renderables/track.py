"""A whole recording in one line: how bad each part was, where something was done, and where one is."""

from __future__ import annotations

from collections.abc import Sequence

from wlat_tui.renderables.glyphs import Glyphs
from wlat_tui.renderables.latency_strip import LogAxis
from wlat_tui.renderables.line import Line, Role, Span, merged


def track(
    worst_ns: Sequence[int | None], marked: Sequence[bool], here: int | None, threshold_ns: int, axis: LogAxis, glyphs: Glyphs
) -> Line:
    """One cell each: its worst write as a bar, red over the threshold; marks stand out, the cell *here* is the cursor."""
    steps = len(glyphs.levels) - 1
    spans: list[Span] = []
    for i, (ns, mark) in enumerate(zip(worst_ns, marked, strict=True)):
        role: Role = "dim" if ns is None else "worst" if ns > threshold_ns else "good"
        text = glyphs.rule if ns is None else glyphs.levels[min(steps, max(1, round(axis.fraction(ns) * steps)))]
        if mark:
            text, role = glyphs.mark, "mark"
        spans.append((glyphs.axis if i == here else text, "cursor" if i == here else role))
    return merged(spans)
