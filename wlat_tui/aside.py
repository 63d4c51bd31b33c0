"""wlat's own work steps aside for what it measures, and for everybody else on the host."""

from __future__ import annotations

from wlat_tui._native import lib as _lib


def step_aside() -> None:
    """Let whoever wakes on the calling thread's CPU run before it.

    Else a writer that wakes while the screen is being drawn on its CPU waits for the end of the slice, some 3 ms (the wakes of
    ``wlat bench fidelity``). A courtesy: where the kernel has no such thing, nothing changes. Source: sched_setattr(2), since
    Linux 6.12.
    """
    _lib.wl_step_aside()
