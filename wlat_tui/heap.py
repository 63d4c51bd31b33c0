"""The C library's heap, told to give back what is freed: it took 13 MB of the screen's process."""

from __future__ import annotations

import ctypes
import gc

_LARGE_BYTES = 128 << 10
_NEW_OBJECTS = 5_000
"""Between two searches among the youngest: a frame or two."""
_OPTIONS = ((-3, _LARGE_BYTES), (-1, _LARGE_BYTES), (-8, 1))
"""M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_ARENA_MAX (malloc.h, glibc). Setting the first two also stops glibc from raising them
itself, up to 32 MiB, with every large block that is freed: from then on such blocks come from heaps that keep their room, and
those that are nearly all zero (histograms) take all of theirs."""


def give_back_freed_memory() -> None:
    """For this process, from now on. Before threads start; nothing happens where the C library has no such options (musl)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in _OPTIONS:
            mallopt(option, value)


def keep_what_is_there() -> None:
    """Take every object of now out of the search for garbage cycles, and search less often.

    Modules, styles and widgets never become garbage, but each full search would go through all of them: 40 ms in which no key
    is answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, 10, 10)
