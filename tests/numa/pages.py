"""On which node each page of the writer's file lies: asked of the kernel page by page, beside its counters.

Source: mincore(2), move_pages(2) without a target ("the status of each page is its node"); the file is reached through the
writer thread's /proc/TID/fd, as it has no name.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections import Counter
from pathlib import Path

SYS_MOVE_PAGES = 279
PAGE = mmap.PAGESIZE
AT_ONCE = 1024
_libc = ctypes.CDLL(None, use_errno=True)


def nodes_of_pages(tid: int, offset: int, length: int) -> Counter[int]:
    """Node -> how many of the pages that lie wholly in this part of the writer's present file. Only those in memory count.

    Raises OSError.
    """
    found: Counter[int] = Counter()
    file = os.open(_file_of(tid), os.O_RDONLY | os.O_CLOEXEC)
    try:
        # the writer may have begun a new, still shorter file meanwhile
        first, end = -(-offset // PAGE), min(offset + length, os.fstat(file).st_size) // PAGE
        if end <= first:
            return found
        # private: only a view that could be written to gives ctypes its address, and nothing is written
        with mmap.mmap(file, (end - first) * PAGE, mmap.MAP_PRIVATE, offset=first * PAGE) as view:
            start = ctypes.addressof(ctypes.c_char.from_buffer(view))
            cached = (ctypes.c_ubyte * (end - first))()
            if _libc.mincore(ctypes.c_void_p(start), ctypes.c_size_t(len(view)), cached) < 0:
                raise OSError(ctypes.get_errno(), "mincore")
            pages = [start + number * PAGE for number, there in enumerate(cached) if there & 1]
            for address in pages:
                ctypes.string_at(address, 1)  # maps it: a page without a place in this process has no status
            for at in range(0, len(pages), AT_ONCE):
                found.update(_nodes(pages[at : at + AT_ONCE]))
    finally:
        os.close(file)
    return found


def _file_of(tid: int) -> Path:
    """The only nameless file that the thread has open: it has a table of its own."""
    files = [path for path in Path(f"/proc/{tid}/fd").iterdir() if os.readlink(path).endswith(" (deleted)")]
    assert len(files) == 1, [os.readlink(path) for path in files]
    return files[0]


def _nodes(pages: list[int]) -> list[int]:
    addresses = (ctypes.c_void_p * len(pages))(*pages)
    status = (ctypes.c_int * len(pages))()
    if _libc.syscall(SYS_MOVE_PAGES, 0, len(pages), addresses, None, status, 0) < 0:
        raise OSError(ctypes.get_errno(), "move_pages")
    return [node for node in status if node >= 0]
