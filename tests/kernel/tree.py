"""Small look-alikes of /proc and /sys, made where a test wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

NODES = "sys/devices/system/node"


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below ``root``, making directories."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def node_files(
    node: int, *, cpus: str = "", mem_kb: int = 1024, distance: Sequence[int] = (), free: int = 100
) -> dict[str, str]:
    """The files of one node, with the kernel's layout."""
    here = f"{NODES}/node{node}"
    return {
        f"{here}/cpulist": f"{cpus}\n",
        f"{here}/meminfo": f"Node {node} MemTotal:       {mem_kb} kB\nNode {node} HugePages_Total:     0\n",
        f"{here}/distance": " ".join(map(str, distance)) + "\n",
        f"{here}/vmstat": f"nr_free_pages {free}\nnr_dirty 0\n",
    }
