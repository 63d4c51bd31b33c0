"""/sys/devices/system/node/nodeN/vmstat: one node's pages and events. It is printed without any lock: fit for every tick."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path

from wlat_tui.frame import Kswapd, NodeSample
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.cpulist import parse_cpulist
from wlat_tui.kernel.files import KeptFile, decode, parse_rows, read_text

NODES = Path("sys/devices/system/node")
_NODE = re.compile(r"node(\d+)")
_GONE = (errno.ENODEV, errno.ENOENT, errno.EIO, errno.ENXIO, errno.ENOTDIR)


def parse_node_vmstat(text: str) -> dict[str, int]:
    """Row name -> pages or events since boot."""
    return parse_rows(text)


def read_node_vmstat(node: int, root: Path = ROOT) -> dict[str, int] | None:
    """None when the node is not there or the kernel has no such file (before 2.6.38). Raises OSError."""
    text = read_text(root / NODES / f"node{node}/vmstat")
    return None if text is None else parse_node_vmstat(text)


def online_nodes(root: Path = ROOT) -> tuple[int, ...]:
    """Nodes that have a directory: node/online can name more in a cut-down tree, ids may be sparse and need not start at 0."""
    try:
        names = [entry.name for entry in (root / NODES).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return ()  # CONFIG_NUMA=n
    return tuple(sorted(int(match[1]) for name in names if (match := _NODE.fullmatch(name))))


class NodeVmstat:
    """The vmstat file of every online node, kept open across ticks; follows nodes as they come and go.

    A tick costs one pread of node/online and one per node. Nodes without a vmstat file (old kernels) are left out.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._files: dict[int, KeptFile] = {}
        self._online: KeptFile | None = None
        self._seen: bytes | None = None

    def read(self, kswapds: Mapping[int, Kswapd] | None = None) -> tuple[NodeSample, ...]:
        """One sample per node, by node id.

        Args:
            kswapds: node -> its reclaim thread, to put into the samples.

        Raises:
            OSError: a file exists and cannot be read. A node that just went away is not an error.
        """
        self._follow()
        samples = []
        for node, file in sorted(self._files.items()):
            try:
                rows = parse_node_vmstat(decode(file.read()))
            except OSError as error:
                if error.errno not in _GONE:
                    raise
                self._drop(node)
                self._seen = None  # look again at the next tick: it may be back under a new inode
                continue
            samples.append(NodeSample(node, rows, (kswapds or {}).get(node)))
        return tuple(samples)

    def close(self) -> None:
        for node in list(self._files):
            self._drop(node)
        if self._online is not None:
            self._online.close()
            self._online = None

    def _follow(self) -> None:
        """Open what appeared, close what went; a directory listing only when node/online changed or does not exist."""
        now = self._read_online()
        if now is not None and now == self._seen:
            return
        wanted = set(online_nodes(self._root))
        if now is not None:
            wanted &= set(parse_cpulist(decode(now)))
        for node in self._files.keys() - wanted:
            self._drop(node)
        for node in wanted - self._files.keys():
            try:
                self._files[node] = KeptFile(self._root / NODES / f"node{node}/vmstat", single=True)
            except OSError as error:
                if error.errno not in _GONE:
                    raise
        self._seen = now

    def _read_online(self) -> bytes | None:
        if self._online is None:
            try:
                self._online = KeptFile(self._root / NODES / "online", single=True)
            except (FileNotFoundError, NotADirectoryError):
                return None
        return self._online.read()

    def _drop(self, node: int) -> None:
        self._files.pop(node).close()
