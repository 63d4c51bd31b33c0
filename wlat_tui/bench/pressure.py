"""Page-cache pressure for benchmarks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wlat_tui.bench.terminal import BenchError
from wlat_tui.kernel.vmstat import read_vmstat
from wlat_tui.loads import LoadError, Running
from wlat_tui.loads.page_cache import RECLAIMED, PageCache

FILL_S = 180.0
"""Twice what a slow machine with a lot of memory was seen to need; the benchmark gives up then."""


def reclaimed_pages() -> int:
    """Pages taken back since boot. Source: /proc/vmstat; before Linux 4.8 one row per zone type (pgsteal_kswapd_normal)."""
    return sum(count for name, count in (read_vmstat() or {}).items() if name.startswith(RECLAIMED))


@contextlib.contextmanager
def page_cache_pressure(directory: Path, memory_bytes: int | None = None) -> Iterator[None]:
    """A process that reads a nameless sparse file of twice this machine's memory, over and over.

    The file has no name and no blocks: nothing is left on the disk however this ends, and its pages go with it.

    Raises:
        BenchError: the filesystem has no nameless files, or none of that size, or the reader has ended by itself.
    """
    load = PageCache(size_bytes=None if memory_bytes is None else 2 * memory_bytes)
    if (why := load.unavailable(directory)) is not None:
        raise BenchError(why)
    try:
        reader = Running(load, directory)
        try:
            yield
            reader.check()
        finally:
            reader.stop()
    except LoadError as error:
        raise BenchError(str(error)) from error


def wait_until_reclaiming(say: Callable[[str], None]) -> None:
    """Wait until the cache is full and the kernel takes pages back. Raises BenchError when it never does."""
    say(f"effect: filling the page cache until the kernel reclaims, at most {FILL_S:g} s")
    deadline, before = time.monotonic() + FILL_S, reclaimed_pages()
    # one batch may be somebody else's; pressure is when it goes on
    for _ in range(3):
        while (now := reclaimed_pages()) == before:
            if time.monotonic() > deadline:
                raise BenchError(f"there was no reclaim within {FILL_S:g} s: more memory than the reader can fill")
            time.sleep(0.2)
        before = now
        time.sleep(0.2)
