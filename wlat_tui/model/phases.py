"""Phases of an experiment, as the marks of its session tell them.

A phase is three marks of kind ``phase`` with the side's name: ``before`` is the number of the round, ``after`` is what begins:
`WARM_UP` (not compared), `MEASURED`, `OVER`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wlat_tui.frame import Mark

KIND = "phase"
WARM_UP, MEASURED, OVER = "warm-up", "measured", "over"


@dataclass(frozen=True, slots=True)
class Phase:
    """The measured part of one side's turn; frames that begin and end in it are the side's."""

    side: str
    round: int
    begin_ns: int
    end_ns: int


def phases(marks: Iterable[Mark]) -> tuple[Phase, ...]:
    """Finished phases in time order; one that was broken off is left out."""
    found = []
    begun: Mark | None = None
    for mark in marks:
        if mark.kind != KIND:
            continue
        if mark.after == OVER and begun is not None and begun.name == mark.name:
            found.append(Phase(mark.name, int(mark.before or 0), begun.at_ns, mark.at_ns))
        begun = mark if mark.after == MEASURED else None
    return tuple(found)
