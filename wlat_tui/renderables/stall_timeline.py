"""The phases of one stall, drawn to scale."""

from __future__ import annotations

from wlat_tui.causes import Verdict, cause_named
from wlat_tui.renderables.causes import FAMILY_MARKS
from wlat_tui.renderables.glyphs import Glyphs
from wlat_tui.renderables.line import Line, Span, merged
from wlat_tui.units import format_ns


def timeline(verdict: Verdict, width: int, glyphs: Glyphs) -> list[Line]:
    """A bar from the stall's begin to its end, and the scale under it.

    A cell shows the phase that has most of it; a phase begins with its family's letter; what is unexplained is drawn empty.
    """
    span_ns = max(1, verdict.span_ns)
    spans: list[Span] = []
    before = ""
    at = 0
    phases = verdict.phases
    for x in range(width):
        begin_ns, end_ns = verdict.begin_ns + x * span_ns // width, verdict.begin_ns + (x + 1) * span_ns // width
        while at + 1 < len(phases) and phases[at].end_ns <= begin_ns:
            at += 1
        here = [phase for phase in phases[at : at + 50] if phase.begin_ns < max(end_ns, begin_ns + 1)] or [phases[at]]
        phase = max(here, key=lambda p: min(p.end_ns, end_ns) - max(p.begin_ns, begin_ns))
        cause = cause_named(phase.cause)
        letter, role = FAMILY_MARKS[cause.family]
        fill = glyphs.full if cause.explains else glyphs.empty
        spans.append((letter if phase.cause != before else fill, role))
        before = phase.cause
    return [merged(spans), _scale(verdict.span_ns, width, glyphs)]


def _scale(span_ns: int, width: int, glyphs: Glyphs) -> Line:
    parts = 4 if width >= 60 else 2
    text = ""
    for i in range(parts):
        label = f"{glyphs.axis}{format_ns(span_ns * i / parts) if i else '0'}"
        text += f"{label:<{width * (i + 1) // parts - width * i // parts}}"
    end = format_ns(span_ns) + glyphs.axis
    return ((text[: width - len(end)] + end, "label"),)
