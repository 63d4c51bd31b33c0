"""The recorder: takes frames without ever making the one who brings them wait."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from wlat_tui.frame import Frame
from wlat_tui.sessions.store import Store
from wlat_tui.sessions.thrift import Thrift

APPEND_EVERY_S = 1.0
"""What a crash can take."""
QUEUE_FRAMES = 600
"""Held while the disk is full or slow: two minutes at the default tick. More are counted as lost, and the recording says so."""
LOSS = "unrecorded_frames"


class Recorder:
    """Writes frames to a file from a thread of its own.

    Args:
        path, facts, durable: as for `Store`.
        exact: record everything as it came; else as `thrift.py` says, in about a third of the room.

    Raises:
        SessionError: the file cannot be made.
    """

    def __init__(self, path: Path, facts: Mapping[str, object], *, durable: bool, exact: bool = False) -> None:
        self.path = path
        self.problem: str | None = None
        """Why nothing is being written just now (one sentence); None when all is well."""
        self.lost = 0
        """Frames that could not be kept, since the start."""
        self._untold = 0
        self._thrift = None if exact else Thrift()
        coarsen = None if self._thrift is None else self._thrift.coarsened
        self._store = Store(path, {**facts, "compact": not exact}, durable=durable, coarsen=coarsen)
        self._queue: queue.Queue[Frame] = queue.Queue(QUEUE_FRAMES)
        self._closing = threading.Event()
        self._defect: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def frames(self) -> int:
        """Frames safely in the file."""
        return self._store.frames

    def take(self, frame: Frame) -> None:
        """Record this frame, or count it as lost when there is no room; never waits."""
        if self._defect is not None:
            raise self._defect
        if self._untold:
            frame = replace(frame, losses={**frame.losses, LOSS: frame.losses.get(LOSS, 0) + self._untold})
        try:
            self._queue.put_nowait(frame)
        except queue.Full:
            self._untold += 1
            self.lost += 1
        else:
            self._untold = 0

    def close(self, reason: str) -> str | None:
        """Write what is left and end. Waits for the disk.

        Args:
            reason: why the session ended, for the file.

        Returns:
            What the user must know about the file (one sentence), or None when it is whole.
        """
        self._closing.set()
        self._thread.join()
        ended = {"ended": {"wall_ns": time.time_ns(), "reason": reason, "lost_frames": self.lost}}
        kept = self._store.close(ended)
        if self._defect is not None:
            raise self._defect
        if self.problem is not None:
            return f"{self.problem}; the file holds what came before"
        return kept

    def _run(self) -> None:
        try:
            self._record()
        except BaseException as error:  # raised again where frames are brought: a dead thread must not look like a quiet one
            self._defect = error

    def _record(self) -> None:
        batch: list[Frame] = []
        while True:
            closing = self._closing.wait(APPEND_EVERY_S)
            if self.problem is None or not batch:
                batch += self._drain()
            before = self._store.frames
            try:
                self._store.append(batch)
            except sqlite3.Error as error:
                self.problem = f"recording to {self.path} is paused: {error}"
                batch = batch[self._store.frames - before :]
            else:
                batch, self.problem = self._drain() if closing else [], None
            if closing and (not batch or self.problem is not None):
                self._count_left(batch)
                return

    def _drain(self) -> list[Frame]:
        frames: list[Frame] = []
        while True:
            try:
                frames.append(self._queue.get_nowait())
            except queue.Empty:
                return frames if self._thrift is None else list(map(self._thrift.bounded, frames))

    def _count_left(self, batch: list[Frame]) -> None:
        self.lost += len(batch) + self._queue.qsize()
