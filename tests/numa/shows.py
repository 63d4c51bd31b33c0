"""One boot per kernel for everything that is asked of it: booted in the background while other tests run, collected once."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.numa.guest import Guest

KEPT = "WLAT_SHOWS"
"""Environment variable: a directory where what guests leave is kept, and judged again without booting."""
BOOTED_S = 900
"""For everything in one guest; a busy machine takes a multiple of a quiet one's time."""


@dataclass(frozen=True, slots=True)
class Show:
    """What is done in one guest."""

    guest: Guest
    chapters: tuple[str, ...]
    """Which of chapters.py."""

    @property
    def script(self) -> str:
        return (
            "mkdir -p /job/out\n"
            f"python -u -m tests.numa.chapters /job/out {' '.join(self.chapters)} >/job/out/chapters.log 2>&1\n"
        )


# 3.2 GB below and above the hole for devices: DMA, DMA32 and Normal on node 0, Normal alone on node 1.
# Huge pages raise min_free_kbytes at boot beyond what is safe to raise further on nodes this small.
def two_nodes(kernel: str, fs: str) -> Guest:
    return Guest(mem=("3200M", "768M"), cpus=("0", "1"), fs=fs, kernel=kernel, arguments=("transparent_hugepage=never",))


# emulated CPUs are slow: both kernels play the main chapter, and share the others
SHOWS = {
    "6.12": Show(two_nodes("6.12", "ext4"), ("reclaim", "reclaim-mglru", "nodes", "slabinfo")),
    "6.1": Show(two_nodes("6.1", "xfs"), ("reclaim", "nodes", "marks")),
}


@dataclass(frozen=True)
class Collected:
    """What a guest left behind."""

    kernel: str
    out: Path

    def text(self, name: str) -> str:
        return (self.out / name).read_text()

    def facts(self, chapter: str) -> dict[str, Any]:
        """What a chapter told beside its recording. Raises AssertionError with what it said when it failed."""
        found: dict[str, Any] = json.loads(self.text(f"{chapter}.json"))
        assert "failed" not in found, found["failed"]
        return found

    def recording(self, chapter: str) -> Path:
        return self.out / f"{chapter}.wlat"


class Stage:
    """Boots what is wanted from a thread, one guest after the other: beside them runs one of another test."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="guest")
        self._results: dict[str, Future[Collected | str]] = {}

    @cached_property
    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="wlat-shows-")

    def begin(self, kernel: str) -> None:
        """Start booting, if that was not done yet."""
        if kernel not in self._results:
            self._results[kernel] = self._pool.submit(self._play, kernel)

    def collected(self, kernel: str) -> Collected | str:
        """What the guest left, once it is over, or why none can be booted here. Raises AssertionError with its console."""
        self.begin(kernel)
        return self._results[kernel].result()

    def _play(self, kernel: str) -> Collected | str:
        show = SHOWS[kernel]
        if reason := show.guest.unavailable():
            return reason
        out = Path(os.environ.get(KEPT) or self._scratch.name) / kernel
        if out.exists():
            return Collected(kernel, out)
        show.guest.run(show.script, timeout_s=BOOTED_S, keep=out, stop=self._stop).check()
        return Collected(kernel, out)

    def close(self) -> None:
        """End every guest."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)
        if "_scratch" in self.__dict__:
            self._scratch.cleanup()
