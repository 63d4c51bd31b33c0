"""The flight recorder without a screen: the last minutes in memory, and files of them when it matters."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import Callable
from itertools import count
from pathlib import Path

from wlat_tui.frame import Frame
from wlat_tui.sessions.flight import FlightWatch
from wlat_tui.sessions.names import default_path
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.schema import SessionError


class FlightFiles:
    """Writes what a recorder keeps in memory to files: after a slow write, and on SIGUSR1. Belongs to one event loop.

    Args:
        recorder: in memory.
        directory: where the files go, each named by host and time.
        watch: knows when it is time.
        tell: gets a sentence for every file, and for every one that could not be written.
    """

    def __init__(self, recorder: Recorder, directory: Path, watch: FlightWatch, tell: Callable[[str], None]) -> None:
        self.written: list[Path] = []
        self.failed = 0
        self._recorder, self._directory, self._watch, self._tell = recorder, directory, watch, tell
        self._one_at_a_time = asyncio.Lock()
        self._writing: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        """Write a file at every SIGUSR1 from now on."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._start, "on request")

    def take(self, frame: Frame) -> None:
        """Follow the run; never waits."""
        if (reason := self._watch.due(frame)) is not None:
            self._start(reason)

    async def close(self) -> None:
        """Finish what was begun; a slow write whose aftermath was still being waited for gets its file too."""
        # whoever asks once more while wlat ends must not kill it
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: None)
        if self._watch.reason is not None:
            self._start(self._watch.reason)
        await asyncio.gather(*self._writing)

    def _start(self, reason: str) -> None:
        task = asyncio.get_running_loop().create_task(self._write(reason))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, reason: str) -> None:
        async with self._one_at_a_time:
            path = self._unused()
            try:
                await asyncio.to_thread(self._recorder.save, path, reason)
            except (SessionError, sqlite3.Error) as error:
                self.failed += 1
                self._tell(f"the last minutes could not be written to {path}: {error}")
                return
            self.written.append(path)
            self._tell(f"{path}: the last minutes ({reason})")

    def _unused(self) -> Path:
        """Two files in one second need two names."""
        first = self._directory / default_path("flight")
        names = (first.with_stem(f"{first.stem}-{number}") for number in count(2))
        return first if not first.exists() else next(path for path in names if not path.exists())
