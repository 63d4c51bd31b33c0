"""Page-cache pressure that costs no disk: a sparse file larger than memory, read for ever."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wlat_tui.bench.terminal import BenchError
from wlat_tui.kernel.vmstat import read_vmstat

FILL_S = 180.0
"""Twice what a slow machine with a lot of memory was seen to need; the benchmark gives up then."""
_RECLAIMED = ("pgsteal_kswapd", "pgsteal_direct", "pgsteal_khugepaged", "pgsteal_proactive")


def reclaimed_pages() -> int:
    """Pages taken back since boot. Source: /proc/vmstat; before Linux 4.8 one row per zone type (pgsteal_kswapd_normal)."""
    return sum(count for name, count in (read_vmstat() or {}).items() if name.startswith(_RECLAIMED))


@contextlib.contextmanager
def page_cache_pressure(directory: Path, memory_bytes: int | None = None) -> Iterator[None]:
    """A process that reads a nameless sparse file of twice this machine's memory, over and over.

    The file has no name and no blocks: nothing is left on the disk however this ends, and its pages go with it.

    Raises:
        BenchError: the filesystem has no nameless files, or no files of that size.
    """
    size = 2 * (memory_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    try:
        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BenchError(f"{directory}: no nameless file can be made there: {error.strerror}") from error
    try:
        os.ftruncate(fd, size)
        command = [sys.executable, "-m", "wlat_tui.bench.pressure_child", str(fd)]
        # a session of its own: Ctrl-C is ours, and ends it below
        reader = subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        raise BenchError(f"{directory}: a sparse file of {size} bytes cannot be read there: {error.strerror}") from error
    finally:
        os.close(fd)
    try:
        yield
        if reader.poll() is not None:
            raise BenchError(f"the reader that makes the pressure ended with status {reader.returncode}")
    finally:
        reader.kill()
        reader.wait()


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
