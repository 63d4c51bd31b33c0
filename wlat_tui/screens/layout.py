"""How many rows and columns each panel gets, from 60x15 to 300x100."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LEAST = (60, 15)
_SIDE_BY_SIDE_CELLS = 130
_STATUS_ROWS = 3
_FOOTER_ROWS = 1
_ROOM_FOR_BOTH = 26
"""From so many rows on stalls and mitigations each have a place of their own."""
_STALL_ROWS = 8
"""Heading, causes, titles and a few stalls: what the stalls should have where there is room."""

Lower = Literal["stalls", "mitigations"]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Rows of each panel; 0 hides it."""

    latency: int
    history: int
    nodes: int
    stalls: int
    mitigations: int
    side_by_side: bool
    """Nodes and stalls are at the left of the mitigations."""

    @property
    def shared(self) -> bool:
        """Stalls and mitigations take turns in one place."""
        return not (self.stalls and self.mitigations)


def arrange(
    width: int,
    height: int,
    node_rows: int,
    mitigation_rows: int,
    show_history: bool | None = None,
    opened: bool = False,
    lower: Lower = "stalls",
) -> Arrangement | None:
    """Divide the terminal; None when it is too small.

    Args:
        show_history: True puts the chart in place of the live bars where there is no room for both; None shows it where there
            is room, False never.
        opened: a node shows its zones and pages, so the nodes take rows from the others.
        lower: which of the two is seen where there is only one place for both.
    """
    if width < LEAST[0] or height < LEAST[1]:
        return None
    room = height - _STATUS_ROWS - _FOOTER_ROWS
    nodes = 1 + max(1, node_rows)
    side_by_side = width >= _SIDE_BY_SIDE_CELLS and room >= _ROOM_FOR_BOTH
    if side_by_side:
        mitigations = max(8, min(max(nodes + _STALL_ROWS, mitigation_rows + 2), room // 3))
        nodes = max(2, min(nodes, mitigations - 4 if opened else mitigations // 2))
        stalls = mitigations - nodes
        taken = mitigations
    else:
        nodes = max(2, min(nodes, room * 2 // 7 if opened else room // 4))
        if room >= _ROOM_FOR_BOTH and not opened:
            stalls = min(_STALL_ROWS, room // 5)
            mitigations = max(4, min(mitigation_rows + 2, room // 7))
        else:
            place = max(4, room // 6 if opened else room // 4)
            stalls, mitigations = (place, 0) if lower == "stalls" else (0, min(place, mitigation_rows + 2))
        taken = nodes + stalls + mitigations
    upper = room - taken
    latency, history = upper, 0
    if show_history is not False and upper >= 20:
        latency = max(10, upper * 3 // 8)
        history = upper - latency
    elif show_history:
        latency, history = 0, upper
    return Arrangement(latency, history, nodes, stalls, mitigations, side_by_side)
