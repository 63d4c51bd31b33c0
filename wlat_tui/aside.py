"""wlat's own work steps aside for what it measures, and for everybody else on the host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wlat_tui._native import lib as _lib


def step_aside() -> None:
    """Let whoever wakes on the calling thread's CPU run before it.

    Else a writer that wakes while the screen is being drawn on its CPU waits for the end of the slice, some 3 ms (the wakes of
    ``wlat bench fidelity``). A courtesy: where the kernel has no such thing, nothing changes. Source: sched_setattr(2), since
    Linux 6.12.
    """
    _lib.wl_step_aside()


class Place:
    """Where the threads of this process run: anywhere they may, except on the writer's CPU.

    What is drawn there takes the caches of the writes that follow, and a writer that wakes meanwhile is moved to another CPU.
    Not for several threads at once.
    """

    def __init__(self) -> None:
        self._allowed: set[int] = set()
        """Before it kept off any."""
        self.avoided: frozenset[int] = frozenset()
        """CPUs that it keeps off."""

    def keep_off(self, *wishes: frozenset[int]) -> None:
        """Keep every thread off the first of these sets that leaves a CPU to run on; without one, run anywhere again.

        Threads that start later inherit it, and so do processes, but for `everywhere`. Source: sched_setaffinity(2).
        """
        if not self.avoided:
            self._allowed = os.sched_getaffinity(0)
        wanted = next((wish for wish in wishes if self._allowed - wish), frozenset())
        if wanted == self.avoided:
            return
        self.avoided = wanted
        for task in os.listdir("/proc/self/task"):
            _run_on(int(task), self._allowed - wanted)

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """The calling thread may run anywhere: what it starts meanwhile inherits that."""
        if not self.avoided:
            yield
            return
        _run_on(0, self._allowed)
        try:
            yield
        finally:
            _run_on(0, self._allowed - self.avoided)


def _run_on(tid: int, cpus: set[int]) -> None:
    # the thread may have ended, or all these CPUs be offline or closed to us: then it stays where the kernel put it
    with suppress(OSError):
        os.sched_setaffinity(tid, cpus)


PLACE = Place()
"""Of this process."""
