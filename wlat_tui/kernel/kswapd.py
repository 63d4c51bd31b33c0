"""The reclaim threads kswapd0, kswapd1, ...: one per node with memory. Source: mm/vmscan.c kswapd_run, /proc/PID/stat."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path

from wlat_tui.frame import Kswapd
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import KeptFile, decode, read_line
from wlat_tui.kernel.process import parse_stat

_NAME = re.compile(r"kswapd(\d+)")
WALK_LIMIT = 20_000
"""Processes looked at in one search: kernel threads start right after boot, so their pids are among the lowest."""


def find_kswapd_pids(nodes: frozenset[int], root: Path = ROOT) -> dict[int, int]:
    """Node -> pid of its kswapd, walking pids upward until all of ``nodes`` are found.

    {} where kernel threads are not visible (a container's pid namespace: nobody is kthreadd there). About 6 us per process.
    """
    if read_line(root / "proc/2/comm") != "kthreadd":
        return {}
    found: dict[int, int] = {}
    pids = sorted(int(entry.name) for entry in (root / "proc").iterdir() if entry.name.isdecimal())
    for pid in pids[:WALK_LIMIT]:
        if nodes <= found.keys():
            break
        match = _NAME.fullmatch(read_line(root / f"proc/{pid}/comm") or "")
        if match:
            found[int(match[1])] = pid
    return found


class KswapdStat:
    """Every node's kswapd, its stat file kept open. Searches again only when ``nodes`` changed or a thread ended."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._files: dict[int, KeptFile] = {}
        self._sought: frozenset[int] | None = None

    def read(self, nodes: frozenset[int]) -> Mapping[int, Kswapd] | None:
        """Node -> its kswapd; None when none can be seen from here.

        Args:
            nodes: the nodes with memory.

        Raises:
            OSError: a file exists and cannot be read.
        """
        if nodes != self._sought:
            self._search(nodes)
        threads: dict[int, Kswapd] = {}
        for node, file in list(self._files.items()):
            try:
                stat = parse_stat(decode(file.read()))
            except OSError as error:
                if error.errno != errno.ESRCH:
                    raise
                self._files.pop(node).close()
                self._sought = None  # the node was taken offline; it may come back with another thread
                continue
            threads[node] = Kswapd(stat.pid, stat.state, stat.cpu_ns)
        return threads or None

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._sought = None

    def _search(self, nodes: frozenset[int]) -> None:
        self.close()
        self._sought = nodes
        for node, pid in find_kswapd_pids(nodes, self._root).items():
            try:
                self._files[node] = KeptFile(self._root / f"proc/{pid}/stat", single=True)
            except FileNotFoundError:
                self._sought = None
