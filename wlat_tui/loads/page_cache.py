"""Page-cache pressure that costs no disk: a sparse file, read for ever."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.cpulist import parse_cpulist
from wlat_tui.kernel.files import read_text
from wlat_tui.kernel.node_vmstat import NODES
from wlat_tui.loads import Option
from wlat_tui.units import parse_size_bytes

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

PIECE_BYTES = 1 << 20
ROUND_PAUSE_S = 0.05
"""Between two rounds: a file that fits in memory would only burn a CPU."""
RECLAIMED = ("pgsteal_kswapd", "pgsteal_direct", "pgsteal_khugepaged", "pgsteal_proactive")
"""Rows of /proc/vmstat; before Linux 4.8 there was one per zone type (pgsteal_kswapd_normal)."""
ENOUGH_PAGES_PER_S = 100
FULL_BYTES = 16 << 20
"""A node with less headroom than this, or than a quarter of its low watermark, is full: what others free comes and goes."""


def parse_node(text: str) -> int:
    """Raises ValueError with one sentence."""
    if not text.isdecimal() or len(text) > 4:
        raise ValueError(f"'{text}' is not a node: give its number")
    return int(text)


def cpus_of(node: int) -> tuple[int, ...]:
    """CPUs of a node; none when there is no such node."""
    return parse_cpulist(read_text(ROOT / NODES / f"node{node}/cpulist") or "")


@dataclass(frozen=True, slots=True)
class PageCache:
    """Reads a nameless sparse file over and over. A hole reads as zeros without the disk, yet every page of it is cached.

    With a node the reader runs on its CPUs only, so that its pages come from there first.
    """

    name: ClassVar[str] = "page-cache"
    effect: ClassVar[str] = "fills the page cache by reading a sparse file, so that what was cached is evicted"
    node: int | None = None
    size_bytes: int | None = None
    """None: twice the memory of the host."""

    @classmethod
    def options(cls) -> Mapping[str, Option]:
        return {"node": Option("node", parse_node), "size": Option("size_bytes", parse_size_bytes)}

    def unavailable(self, directory: Path) -> str | None:
        if self.node is not None and not cpus_of(self.node):
            return f"there is no node {self.node} with CPUs to read from here"
        try:
            os.close(self._open(directory))
        except OSError as error:
            return f"{directory} cannot hold a nameless sparse file of {self.bytes} bytes: {error.strerror}"
        return None

    def settled(self, session: Session) -> bool:
        """Pages are being taken back; on one node: or that node is down to its low watermark."""
        rates = session.vmstat_rates
        if sum(rate for name, rate in rates.items() if name.startswith(RECLAIMED)) >= ENOUGH_PAGES_PER_S:
            return True
        node = session.nodes.get(self.node) if self.node is not None else None
        if node is None or node.headroom_pages is None or node.low_pages is None:
            return False
        page_bytes = session.host.page_bytes if session.host else os.sysconf("SC_PAGE_SIZE")
        return node.headroom_pages <= max(node.low_pages // 4, FULL_BYTES // page_bytes)

    @property
    def bytes(self) -> int:
        return self.size_bytes or 2 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    def run(self) -> None:
        if self.node is not None:
            os.sched_setaffinity(0, cpus_of(self.node))
        with open(self._open(Path()), "rb", buffering=0) as file, mmap.mmap(-1, PIECE_BYTES) as piece:
            while True:
                if not file.readinto(piece):
                    file.seek(0)
                    time.sleep(ROUND_PAUSE_S)

    def _open(self, directory: Path) -> int:
        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(fd, self.bytes)
        except OSError:
            os.close(fd)
            raise
        return fd
