"""/proc/meminfo and /sys/devices/system/node/nodeN/meminfo, in bytes."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_text


def parse_meminfo(text: str) -> dict[str, int]:
    """Row name -> bytes (``kB`` rows) or a plain count (HugePages_*). The ``Node N`` prefix of a node's file is dropped.

    Values may be absurd: an underflowed MemUsed is printed as 18446744073709443592 kB and kept, so check before use.
    """
    rows: dict[str, int] = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        words = rest.split()
        if not colon or not words or not words[0].isdecimal():
            continue
        parts = name.split()
        if len(parts) > 2 and parts[0] == "Node":
            parts = parts[2:]
        rows[" ".join(parts)] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return rows


def read_meminfo(root: Path = ROOT) -> dict[str, int] | None:
    """None without /proc. Raises OSError."""
    text = read_text(root / "proc/meminfo")
    return None if text is None else parse_meminfo(text)


def read_node_meminfo(node: int, root: Path = ROOT) -> dict[str, int] | None:
    """None when the node is not there. Raises OSError."""
    text = read_text(root / f"sys/devices/system/node/node{node}/meminfo")
    return None if text is None else parse_meminfo(text)
