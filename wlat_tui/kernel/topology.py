"""/sys/devices/system/node: which nodes there are, their CPUs, sizes and distances."""

from __future__ import annotations

import errno
from pathlib import Path

from wlat_tui.frame import NodeShape
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.cpulist import parse_cpulist, parse_cpumap
from wlat_tui.kernel.files import read_text
from wlat_tui.kernel.meminfo import read_node_meminfo
from wlat_tui.kernel.node_vmstat import NODES, online_nodes


def read_topology(root: Path = ROOT) -> tuple[NodeShape, ...]:
    """Every online node by id; () when the kernel has no nodes (CONFIG_NUMA=n). A node that goes away meanwhile is left out.

    Raises:
        OSError: a file exists and cannot be read.
    """
    ids = online_nodes(root)
    with_memory = _node_list("has_memory", root)
    possible = _node_list("possible", root)
    listed = _node_list("online", root)
    shapes = []
    for node in ids:
        try:
            shapes.append(_shape(node, ids, listed, possible, with_memory, root))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
    return tuple(shapes)


def parse_distances(
    text: str, ids: tuple[int, ...], listed: tuple[int, ...] | None = None, possible: tuple[int, ...] | None = None
) -> dict[int, int]:
    """SLIT row of one node -> {node: distance}, itself included.

    The kernel prints one value per online node in ascending order (drivers/base/node.c), so ids and positions differ when ids
    are sparse. A row as long as another list of nodes is that list's (nodes without a directory, cut-down trees).
    Firmware may say anything from 0 to 255, and differently in each direction. {} when the row fits no list.
    """
    values = [int(word) for word in text.split()]
    for nodes in (listed, ids, possible):
        if nodes is not None and len(nodes) == len(values):
            return dict(zip(nodes, values, strict=True))
    return {}


def _shape(
    node: int,
    ids: tuple[int, ...],
    listed: tuple[int, ...] | None,
    possible: tuple[int, ...] | None,
    with_memory: tuple[int, ...] | None,
    root: Path,
) -> NodeShape:
    here = root / NODES / f"node{node}"
    meminfo = read_node_meminfo(node, root) or {}
    total = meminfo.get("MemTotal")
    row = read_text(here / "distance")
    return NodeShape(
        node=node,
        cpus=_cpus(here),
        distances={} if row is None else parse_distances(row, ids, listed, possible),
        total_bytes=total,
        has_memory=node in with_memory if with_memory is not None else bool(total),
    )


def _cpus(here: Path) -> tuple[int, ...]:
    text = read_text(here / "cpulist")
    if text is not None:
        return parse_cpulist(text)
    text = read_text(here / "cpumap")  # before 2.6.26 there was only the map
    return () if text is None else parse_cpumap(text)


def _node_list(name: str, root: Path) -> tuple[int, ...] | None:
    text = read_text(root / NODES / name)
    return None if text is None else parse_cpulist(text)
