"""The worst write per moment as bars on a fixed logarithmic scale.

The scale does not follow the data: a picture that rescales itself hides exactly the change that is looked for. It only grows,
by whole decades, when a write is off the top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wlat_tui.causes import Family
from wlat_tui.model.series import Column
from wlat_tui.renderables.causes import FAMILY_MARKS, FAMILY_WORDS
from wlat_tui.renderables.glyphs import Glyphs
from wlat_tui.renderables.line import Line, Role, Span, first_fitting, merged, width_of
from wlat_tui.units import format_ns

FLOOR_NS = 10_000
CEILING_NS = 100_000_000
_LABELS = {10**e: f"{10 ** (e % 3)}{unit}" for e, unit in zip(range(3, 12), ["us"] * 3 + ["ms"] * 3 + ["s"] * 3, strict=True)}
LABEL_CELLS = 6
NO_MARKS: Mapping[int, Family] = {}


@dataclass(frozen=True, slots=True)
class LogAxis:
    """A logarithmic scale from ``floor_ns`` to ``ceiling_ns``."""

    floor_ns: int = FLOOR_NS
    ceiling_ns: int = CEILING_NS

    def grown_for(self, worst_ns: int | None) -> LogAxis:
        """The same scale, or one whose top is the next decade above *worst_ns*."""
        if worst_ns is None or worst_ns <= self.ceiling_ns:
            return self
        return LogAxis(self.floor_ns, 10 ** math.ceil(math.log10(worst_ns)))

    def fraction(self, ns: int) -> float:
        """Height of a value: 0 at the floor (negative below it), 1 at the ceiling or above."""
        return min(1.0, math.log(max(1, ns) / self.floor_ns) / math.log(self.ceiling_ns / self.floor_ns))

    def row(self, ns: int, height: int) -> int:
        """The row (0 at the top) in whose middle this value lies; the floor for anything smaller."""
        return height - 1 - round(max(0.0, self.fraction(ns)) * (height - 1))

    def labels(self, height: int) -> dict[int, str]:
        """Row (0 at the top) -> decade label; decades that would fall on one row keep the higher one."""
        rows: dict[int, str] = {}
        value = self.ceiling_ns
        while value >= self.floor_ns:
            row = self.row(value, height)
            if value in _LABELS:
                rows.setdefault(row, _LABELS[value])
            value //= 10
        return rows


def latency_strip(
    columns: Sequence[Column | None],
    height: int,
    axis: LogAxis,
    threshold_ns: int,
    glyphs: Glyphs,
    marks: Mapping[int, Family] = NO_MARKS,
) -> list[Line]:
    """Bars of *columns* (None: nothing, the sweep's cursor), *height* rows, with labels at the left and the threshold line.

    A bar over the threshold whose number is in *marks* has the colour of its cause's family, and the family's letter on top.
    A column that saw a write always shows at least the smallest glyph; one without data stays empty and a gap is drawn as one.
    """
    labels = axis.labels(height)
    steps = len(glyphs.levels) - 1
    threshold_row = axis.row(threshold_ns, height)
    if height > 1:
        labels[threshold_row] = _short_label(threshold_ns) or labels.get(threshold_row, "")
    levels = [_level(column, height, steps, axis) for column in columns]
    alike: dict[tuple[object, ...], list[Span]] = {}
    """Most columns look like another one."""
    bars: list[list[Span]] = []
    for column, level in zip(columns, levels, strict=True):
        over = column is not None and column.max_ns is not None and column.max_ns > threshold_ns
        looks = column is None, level, over, column is not None and bool(column.marks), column is not None and column.has_gap
        if looks not in alike:
            alike[looks] = [
                _cell(column, level, (height - 1 - row) * steps, row, row == threshold_row, over, glyphs)
                for row in range(height)
            ]
        bars.append(alike[looks])
    lines: list[Line] = []
    for row in range(height):
        label = labels.get(row)
        role: Role = "label" if row == threshold_row else "dim"
        spans: list[Span] = [(f"{label or '':>{LABEL_CELLS - 1}}", role), (glyphs.axis_tick if label else glyphs.axis, "dim")]
        spans += [bar[row] for bar in bars]
        for x, family in marks.items():
            letter, role = FAMILY_MARKS[family]
            top = max(0, height - 1 - -(-levels[x] // steps))
            if row == top:
                spans[x + 2] = (letter, role)
            elif row > top:
                spans[x + 2] = (spans[x + 2][0], role)
        lines.append(merged(spans))
    return lines


def _short_label(ns: int) -> str:
    """A threshold for the row of its line, on few rows also that of some decade; empty when it takes too many cells."""
    unit, scale = next(((u, s) for u, s in (("s", 10**9), ("ms", 10**6), ("us", 10**3)) if ns >= s), ("ns", 1))
    text = f"{ns / scale:.3g}{unit}"
    return text if len(text) < LABEL_CELLS else ""


def _level(column: Column | None, height: int, steps: int, axis: LogAxis) -> int:
    """Glyph steps of a bar. A decade's value ends in the middle of its labelled row, where the threshold's dashes are too."""
    if column is None or column.max_ns is None:
        return 0
    return max(1, int(round((0.5 + axis.fraction(column.max_ns) * (height - 1)) * steps, 6) + 0.5))


def _cell(column: Column | None, level: int, base: int, row: int, at_threshold: bool, over: bool, glyphs: Glyphs) -> Span:
    steps = len(glyphs.levels) - 1
    if column is None:
        return " ", ""
    fill = min(steps, max(0, level - base))
    if fill:
        return glyphs.levels[fill], "worst" if over else "good"
    if row == 0 and column.marks:
        return glyphs.mark, "mark"
    if base == 0 and column.has_gap:
        return glyphs.gap, "notice"
    return (glyphs.threshold, "threshold") if at_threshold else (" ", "")


def swept(columns: Sequence[Column], width_ns: int) -> list[Column | None]:
    """Place each column where it stays (its time modulo the width), like an oscilloscope: between two redraws only the newest
    changes. The place after the newest is left empty: it is the cursor."""
    n = len(columns)
    out: list[Column | None] = [None] * n
    for column in columns[1:]:
        out[(column.begin_ns // width_ns) % n] = column
    return out


def legend(
    what: str, threshold_ns: int, glyphs: Glyphs, gaps: bool = False, families: Sequence[Family] = (), red: bool = True
) -> list[Line]:
    """What bars, letters, red and the dashes (and with ``gaps`` the crosses) mean, the longest wording first."""
    bar: list[Span] = [(glyphs.levels[-1], "good"), (f" {what}", "label")]
    over: list[Span] = [("  ", ""), (glyphs.levels[-1], "worst"), (" over threshold", "label")] if red else []
    causes: list[Span] = []
    for family in families:
        letter, role = FAMILY_MARKS[family]
        causes += [("  ", ""), (letter, role), (f" {FAMILY_WORDS[family]}", "label")]
    line: list[Span] = [("  ", ""), (glyphs.threshold * 2, "threshold"), (f" threshold {format_ns(threshold_ns)}", "label")]
    gap: list[Span] = [("  ", ""), (glyphs.gap, "notice"), (" no writes", "label")] if gaps else []
    wordings = [[*bar, *causes, *over, *line, *gap], [*bar, *causes, *over, *gap], [*bar, *causes, *gap], [*bar, *gap], bar]
    if causes:  # what the letters mean cannot be guessed, what a bar is can
        wordings[3:3] = [[*causes[1:], *gap], causes[1:]]
    return [*(merged(wording) for wording in wordings), ()]


def time_axis(width: int, span_ns: int, key: Sequence[Line] = ((),), swept: bool = False) -> Line:
    """The line under the bars: how long ago, or how long one sweep takes; between them the wording of *key* that fits."""
    left = "" if swept else f"{short_span(span_ns)} ago"
    right = f"one sweep: {short_span(span_ns)}" if swept else "now"
    room = width - len(left) - len(right)
    middle = first_fitting(key, room - 4) if room >= 4 else ()
    before = max(0, room - width_of(middle)) // 2
    after = max(0, room - width_of(middle) - before)
    return merged([(f"{'':{LABEL_CELLS}}{left}{' ' * before}", "dim"), *middle, (f"{' ' * after}{right}", "dim")])


def short_span(ns: int) -> str:
    """A span of time in a few letters: 90s, 12min, 3h."""
    seconds = ns / 1e9
    if seconds < 100:
        return f"{seconds:.3g}s"
    if seconds < 6000:
        return f"{seconds / 60:.3g}min"
    return f"{seconds / 3600:.3g}h"
