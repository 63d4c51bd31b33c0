"""On which node each page of the writer's file lies: asked of the kernel page by page, beside its counters.

Source: mincore(2), move_pages(2) without a target ("the status of each page is its node"); the file is reached through the
writer thread's /proc/TID/fd, as it has no name.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

SYS_MOVE_PAGES = 279
PAGE = mmap.PAGESIZE
AT_ONCE = 256
EVERY_S = 0.5
_libc = ctypes.CDLL(None, use_errno=True)


class Placement(threading.Thread):
    """Looks twice a second at the newest pages that the writer thread has written since the look before, until stopped."""

    def __init__(self, tid: int) -> None:
        super().__init__(name="placement", daemon=True)
        self.found: Mapping[int, int] = {}
        """Node -> pages found there in all looks."""
        self._tid = tid
        self._over = threading.Event()

    def run(self) -> None:
        seen: tuple[int, int] | None = None  # which file, how far
        while not self._over.wait(EVERY_S):
            file = _file_of(self._tid)
            if file is None:
                continue
            try:
                number, position = os.fstat(file).st_ino, _position(self._tid, file)
                if position is not None:
                    if seen is not None and seen[0] == number:
                        newest = nodes_of_pages(file, max(seen[1], position - AT_ONCE * PAGE), position)
                        self.found = Counter(self.found) + newest
                    seen = number, position
            finally:
                os.close(file)

    def stop(self) -> None:
        self._over.set()
        self.join()


def nodes_of_pages(file: int, begin: int, end: int) -> Counter[int]:
    """Node -> how many of the pages that lie wholly between two offsets of the file. Only those in memory count.

    Raises OSError.
    """
    first, last = -(-begin // PAGE), end // PAGE
    if last <= first:
        return Counter()
    # private: only a view that could be written to gives ctypes its address, and nothing is written
    with mmap.mmap(file, (last - first) * PAGE, mmap.MAP_PRIVATE, offset=first * PAGE) as view:
        start = ctypes.addressof(ctypes.c_char.from_buffer(view))
        cached = (ctypes.c_ubyte * (last - first))()
        if _libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(len(view)), cached) < 0:
            raise OSError(ctypes.get_errno(), "mincore")
        pages = [start + number * PAGE for number, there in enumerate(cached) if there & 1]
        for address in pages:
            ctypes.string_at(address, 1)  # maps it: a page without a place in this process has no status
        return Counter(_nodes(pages))


def _file_of(tid: int) -> int | None:
    """The only nameless file that the thread has open (it has a table of its own), opened; None while it goes to the next."""
    files = [path for path in Path(f"/proc/{tid}/fd").iterdir() if _target(path).endswith(" (deleted)")]
    try:
        return os.open(files[0], os.O_RDONLY | os.O_CLOEXEC) if len(files) == 1 else None
    except FileNotFoundError:
        return None


def _target(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return os.readlink(path)
    return ""


def _position(tid: int, file: int) -> int | None:
    """Where the thread writes next in this file; None: it writes to another by now."""
    inode = os.fstat(file).st_ino
    for path in Path(f"/proc/{tid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            rows = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
            if int(rows.get("ino", 0)) == inode:
                return int(rows["pos"])
    return None


def _nodes(pages: list[int]) -> list[int]:
    addresses = (ctypes.c_void_p * len(pages))(*pages)
    status = (ctypes.c_int * len(pages))()
    if _libc.syscall(SYS_MOVE_PAGES, 0, len(pages), addresses, None, status, 0) < 0:
        raise OSError(ctypes.get_errno(), "move_pages")
    return [node for node in status if node >= 0]
