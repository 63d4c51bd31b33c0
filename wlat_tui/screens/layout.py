"""How many rows and columns each panel gets, from 60x15 to 300x100."""

from __future__ import annotations

from dataclasses import dataclass

LEAST = (60, 15)
_SIDE_BY_SIDE_CELLS = 130
_STATUS_ROWS = 3
_FOOTER_ROWS = 1


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Rows of each panel; 0 hides it."""

    latency: int
    history: int
    nodes: int
    mitigations: int
    side_by_side: bool
    """Nodes and mitigations stand next to each other."""


def arrange(
    width: int, height: int, node_rows: int, mitigation_rows: int, show_history: bool | None = None, opened: bool = False
) -> Arrangement | None:
    """Divide the terminal; None when it is too small.

    ``show_history``: True puts the chart in place of the live bars where there is no room for both; None shows it where there
    is room, False never. ``opened``: a node shows its zones and pages, so the nodes take rows from the mitigations.
    """
    if width < LEAST[0] or height < LEAST[1]:
        return None
    room = height - _STATUS_ROWS - _FOOTER_ROWS
    side_by_side = width >= _SIDE_BY_SIDE_CELLS
    nodes = 1 + max(1, node_rows)
    mitigations = 1 + mitigation_rows + 1
    if side_by_side:
        lower = max(5, min(max(nodes, mitigations), room // 3))
        nodes = mitigations = lower
    else:
        nodes = max(2, min(nodes, room * 2 // 7 if opened else room // 4))
        mitigations = max(4, min(mitigations, room // 6 if opened else room // 4))
        lower = nodes + mitigations
    upper = room - lower
    if show_history is not False and upper >= 20:
        latency = max(10, upper * 3 // 8)
        return Arrangement(latency, upper - latency, nodes, mitigations, side_by_side)
    if show_history:
        return Arrangement(0, upper, nodes, mitigations, side_by_side)
    return Arrangement(upper, 0, nodes, mitigations, side_by_side)
