"""``wlat topology``: nodes, distances and zones, as numactl --hardware shows them, plus where each zone stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from wlat_tui.frame import NodeShape, Zone
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.cpulist import format_cpulist
from wlat_tui.kernel.cpus import read_online_cpus
from wlat_tui.kernel.host import page_bytes
from wlat_tui.kernel.meminfo import read_meminfo, read_node_meminfo
from wlat_tui.kernel.topology import read_topology
from wlat_tui.kernel.zoneinfo import read_zoneinfo
from wlat_tui.units import format_bytes

WIDTH = 80


@dataclass(frozen=True, slots=True)
class Machine:
    """Everything the command shows. ``free_bytes`` has no entry for a node that does not tell."""

    page_bytes: int
    nodes: tuple[NodeShape, ...]
    free_bytes: dict[int, int]
    zones: tuple[Zone, ...]
    numa: bool


def read_machine(root: Path = ROOT) -> Machine:
    """Without /sys/devices/system/node (CONFIG_NUMA=n, or hidden in a container) zoneinfo says which nodes. Raises OSError."""
    nodes = read_topology(root)
    table = read_zoneinfo(root)
    zones = () if table is None else table.zones
    free = {
        node.node: meminfo["MemFree"] for node in nodes if "MemFree" in (meminfo := read_node_meminfo(node.node, root) or {})
    }
    if nodes:
        return Machine(page_bytes(), nodes, free, zones, numa=True)
    whole = read_meminfo(root) or {}
    ids = sorted({zone.node for zone in zones} or {0})
    if len(ids) > 1:
        return Machine(page_bytes(), tuple(NodeShape(node, (), {}, None, True) for node in ids), {}, zones, numa=False)
    node = NodeShape(ids[0], read_online_cpus(root) or (), {}, whole.get("MemTotal"), has_memory=True)
    free = {ids[0]: whole["MemFree"]} if "MemFree" in whole else {}
    return Machine(page_bytes(), (node,), free, zones, numa=False)


def as_json(machine: Machine) -> dict[str, Any]:
    """The same facts for programs. Sizes in pages unless the name says bytes; null: this kernel does not tell."""
    nodes = []
    for node in machine.nodes:
        zones = [asdict(zone) for zone in machine.zones if zone.node == node.node]
        nodes.append({**asdict(node), "free_bytes": machine.free_bytes.get(node.node), "zones": zones})
    return {"page_bytes": machine.page_bytes, "numa": machine.numa, "nodes": nodes}


def as_lines(machine: Machine, width: int = WIDTH) -> Iterator[str]:
    """The report, at most ``width`` columns."""
    ids = format_cpulist(node.node for node in machine.nodes)
    count = f"{len(machine.nodes)} node{'s' if len(machine.nodes) != 1 else ''} ({ids})"
    yield f"{count}, pages of {machine.page_bytes} bytes" + ("" if machine.numa else "; no /sys/devices/system/node here")
    for node in machine.nodes:
        yield ""
        yield from _node_lines(node, machine.free_bytes.get(node.node), width, machine.numa)
        yield from _zone_lines([zone for zone in machine.zones if zone.node == node.node], machine.page_bytes)
    if not machine.zones:
        yield ""
        yield "/proc/zoneinfo says nothing here, so zones and watermarks are n/a."
    if any(node.distances for node in machine.nodes):
        yield ""
        yield from _distance_lines(machine.nodes, width)


def _node_lines(node: NodeShape, free_bytes: int | None, width: int, numa: bool) -> Iterator[str]:
    size = f"{format_bytes(node.total_bytes)}, {format_bytes(free_bytes)} free" if node.has_memory else "no memory of its own"
    yield f"node {node.node}  {size}" + ("" if node.cpus or not numa else "  no CPUs (memory only)")
    if not node.cpus:
        return
    line = f"  {len(node.cpus)} CPU{'s' if len(node.cpus) > 1 else ''}:"
    for part in format_cpulist(node.cpus).split(","):
        if len(line) + len(part) + 2 > width:
            yield line
            line = "   "
        line += f" {part}"
    yield line


def _zone_lines(zones: list[Zone], page: int) -> Iterator[str]:
    populated = [zone for zone in zones if zone.managed != 0]
    if populated:
        yield f"  {'zone':<8} {'free':>7} {'min':>7} {'low':>7} {'high':>7} {'managed':>8}  state"
    for zone in populated:
        marks = "".join(f" {format_bytes(value * page):>7}" for value in (zone.free, zone.min, zone.low, zone.high))
        managed = None if zone.managed is None else zone.managed * page
        yield f"  {zone.name:<8}{marks} {format_bytes(managed):>8}  {state_of(zone)}"
    empty = [zone.name for zone in zones if zone.managed == 0]
    if empty:
        yield f"  empty: {', '.join(empty)}"


def state_of(zone: Zone) -> str:
    """Where the zone's free pages stand against its own watermarks. Allocations that could use a higher zone need more here."""
    if zone.free < zone.min:
        return "below min"
    if zone.free < zone.low:
        return "below low: kswapd works"
    return "between low and high" if zone.free < zone.high else "above high"


def _distance_lines(nodes: tuple[NodeShape, ...], width: int) -> Iterator[str]:
    """The matrix, in blocks of as many columns as fit."""
    ids = sorted({other for node in nodes for other in node.distances})
    step = max((width - 8) // 5, 1)
    yield "node distances (row: from, column: to)"
    for at in range(0, len(ids), step):
        block = ids[at : at + step]
        yield f"  {'':>4} " + "".join(f"{other:>5}" for other in block)
        for node in nodes:
            row = "".join(f"{node.distances[other]:>5}" if other in node.distances else "  n/a" for other in block)
            yield f"  {node.node:>4}:{row}"


@click.command()
@click.option(
    "--json", "json_output", is_flag=True, help="For programs: sizes in pages, null for what this kernel does not tell."
)
@click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, hidden=True)
def topology(json_output: bool, root: Path) -> None:
    """Show nodes, CPUs, distances, and where each zone stands against its watermarks."""
    try:
        machine = read_machine(root)
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be read: {error.strerror}") from error
    if json_output:
        click.echo(json.dumps(as_json(machine), indent=2))
        return
    for line in as_lines(machine):
        click.echo(line)
