"""One stall on one line."""

from __future__ import annotations

from dataclasses import dataclass

from wlat_tui.causes import Confidence
from wlat_tui.model.stalls import Explained
from wlat_tui.renderables.causes import FAMILY_MARKS
from wlat_tui.renderables.figures import CLASS_NAMES
from wlat_tui.renderables.line import Line, Span, merged
from wlat_tui.units import format_ns

_TIME, _TOOK, _CLASS, _CAUSE, _WHY, _NODE = 9, 7, 9, 24, 5, 5
_SUSPECT, _PLAIN_SUSPECT_CELLS = 22, 30


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns there is room for."""

    width: int
    why: bool
    """How much is explained."""
    node: bool
    suspect: int
    """Cells for the suspect."""


def columns_for(width: int, several_nodes: bool) -> Columns:
    """The columns of a list *width* cells wide."""
    node = several_nodes
    fixed = 3 + _TIME + _TOOK + 1 + _CLASS + _CAUSE + _NODE * node
    why = width - fixed >= _WHY + _SUSPECT
    return Columns(width, why, node, max(0, width - fixed - _WHY * why - 1))


def titles(columns: Columns) -> Line:
    """The line over the list."""
    why = f"{'why':<{_WHY}}" if columns.why else ""
    node = f"{'node':<{_NODE}}" if columns.node else ""
    text = f"   {'time':<{_TIME}}{'took':>{_TOOK}} {'class':<{_CLASS}}{'cause':<{_CAUSE}}{why}{node}suspect"
    return ((text[: columns.width], "label"),)


def stall_row(one: Explained, columns: Columns, wall: str, node: int | None) -> Line:
    """*wall* is the time of day, *node* where the writer ran."""
    letter, role = FAMILY_MARKS[one.cause.family]
    verdict, write = one.verdict, one.write
    late = verdict.begin_ns < write.begin_ns and write.wake_ns > write.service_ns
    sure = " " if verdict.confidence is Confidence.TRACED or not one.cause.explains else "~"
    spans: list[Span] = [
        (f" {letter} ", role),
        (f"{wall:<{_TIME}}", "label"),
        (f"{format_ns(verdict.span_ns):>{_TOOK}} ", ""),
        (f"{'wake' if late else CLASS_NAMES[write.write_class]:<{_CLASS}}"[:_CLASS], "dim"),
        (f"{sure}{one.cause.title:<{_CAUSE - 1}}"[:_CAUSE], role if one.cause.explains else "dim"),
    ]
    if columns.why:
        spans.append((f"{verdict.explained_pct:>3.0f}% ", "label"))
    if columns.node:
        spans.append((f"{'?' if node is None else node:<{_NODE}}", "label"))
    spans += _suspect(one, columns.suspect)
    return merged(spans)


def _suspect(one: Explained, room: int) -> list[Span]:
    """Who did what, as long as it fits."""
    suspect = one.suspect
    if suspect is None or room < 4:
        return [("-", "dim")] if room else []
    name = "wlat itself" if suspect.own else suspect.by.comm or suspect.by.command or f"pid {suspect.by.pid}"
    what = f"{suspect.kind} {suspect.what.rpartition('/')[2] or suspect.what}"
    if room >= _PLAIN_SUSPECT_CELLS and not suspect.own:
        return [(f"{name} ", "notice"), (f"(pid {suspect.by.pid}) {what}", "label")]
    return [(name, "notice"), (f" {what}", "label")]
