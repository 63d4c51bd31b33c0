"""Everything wlat reads, in one place to scroll through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.binding import Binding

from wlat_tui.kernel.cpulist import format_cpulist
from wlat_tui.mitigations.refusals import refusals
from wlat_tui.model.facts import host_facts, node_facts, writer_facts, zone_table
from wlat_tui.model.nodes import NodeState
from wlat_tui.renderables.facts import facts_lines, table_lines
from wlat_tui.renderables.line import Line, merged
from wlat_tui.screens.lines import LinesScreen

_LATEST = 8


def format_distances(distances: Mapping[int, int]) -> str:
    """Nodes that are as far away as each other together: "10 to 0, 21 to 1-63"."""
    alike: dict[int, list[int]] = {}
    for other, distance in distances.items():
        alike.setdefault(distance, []).append(other)
    return ", ".join(f"{distance} to {format_cpulist(alike[distance])}" for distance in sorted(alike)) or "n/a"


class DetailsScreen(LinesScreen):
    """Refused settings, host, nodes with their zones, writer, latest notices; once a second, while it is open."""

    BINDINGS: ClassVar = [Binding("escape,q,d", "dismiss", "Close the details")]
    hint = "Up Down  scroll      z  read zones now      Esc  close"

    def lines(self, width: int) -> Iterable[Line]:
        session = self._session
        page_bytes = None if session.host is None else session.host.page_bytes
        for refusal in refusals(session):
            yield merged([("refused: ", "warn"), (f"{refusal.name}: {refusal.reason}", "")])
            if refusal.fix is not None:
                yield merged([("  what helps: ", "label"), (refusal.fix, "heading")])
        yield from facts_lines(host_facts(session), width)
        for node in session.nodes.values():
            yield ()
            yield from self._node(node, page_bytes, width)
        yield ()
        yield from facts_lines(writer_facts(session), width)
        yield ()
        yield (("latest notices", "label"),)
        for notice in list(session.notices)[-_LATEST:][::-1] or ():
            yield ((f"  {(session.now_ns - notice.at_ns) / 1e9:.0f}s ago: {notice.text}", ""),)
        if not session.notices:
            yield (("  none", "dim"),)

    def _node(self, node: NodeState, page_bytes: int | None, width: int) -> Iterable[Line]:
        shape = node.shape
        cpus = "CPUs n/a" if shape is None else f"{len(shape.cpus)} CPUs" if shape.cpus else "no CPU"
        far = "n/a" if shape is None else format_distances(shape.distances)
        yield merged([(f"node {node.node}", "heading"), (f"  {cpus}  distances {far}", "dim")])
        if node.empty is not None or not node.online:
            yield ((f"  {node.empty or 'offline now; these are its last values'}", "dim"),)
            if node.empty is not None:
                return
        yield from facts_lines(node_facts(node, page_bytes), width, 2)
        age = "not read yet (z)" if node.zones_age_ns is None else f"read {node.zones_age_ns / 1e9:.0f}s ago"
        yield ((f"  zones, {age}", "label"),)
        yield from table_lines(zone_table(node, page_bytes), 4)
