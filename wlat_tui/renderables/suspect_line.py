"""Whom to stop, on one line."""

from __future__ import annotations

from collections.abc import Iterable

from wlat_tui.model.suspects import Suspect, name_of, sentence
from wlat_tui.renderables.line import Line
from wlat_tui.units import format_ns


def to_be_stopped(suspect: Suspect) -> bool:
    """Whether it is somebody else's doing that hurts by itself and was seen beside a stall."""
    return suspect.kind in ("read", "write") and suspect.stalls > 0 and not suspect.own


def suspect_lines(ranked: Iterable[Suspect], stall_count: int) -> list[Line]:
    """The first of them who should be stopped, the longest wording first; empty: nobody."""
    suspect = next(filter(to_be_stopped, ranked), None)
    if suspect is None:
        return []
    target, file = suspect.to_stop, suspect.what.rpartition("/")[2]
    cost = f"beside {suspect.stalls:,} of {stall_count:,} stalls, {format_ns(suspect.stalled_ns)}"
    wordings = (
        sentence(suspect, stall_count),
        f"Stop {name_of(target)} (pid {target.pid}): reads {suspect.what} {cost}",
        f"Stop {target.comm or name_of(target)} (pid {target.pid}): reads {suspect.what} {cost}",
        f"Stop {target.comm or name_of(target)} (pid {target.pid}): {file} {cost}",
    )
    return [((f" {text}", "notice"),) for text in wordings]
