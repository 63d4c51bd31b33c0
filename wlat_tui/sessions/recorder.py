"""The recorder: takes frames without ever making the one who brings them wait."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from wlat_tui.aside import step_aside
from wlat_tui.frame import Frame
from wlat_tui.sessions.schema import SessionError
from wlat_tui.sessions.store import Store
from wlat_tui.sessions.stream import StreamStore
from wlat_tui.sessions.thrift import Thrift

APPEND_EVERY_S = 1.0
"""What a crash can take."""
QUEUE_FRAMES = 600
"""Held while the disk is full or slow: two minutes at the default tick. More are counted as lost, and the recording says so."""
LOSS = "unrecorded_frames"
LEAST_BYTES = 1 << 20
"""Allowed by ``most_bytes``: a minute and what never goes."""
SAVE_WAITS_S = 5.0
ROLL_UP_EVERY_NS = 30_000_000_000


class Recorder:
    """Writes frames to a file from a thread of its own.

    Args:
        path, facts: as for `Store`.
        keep_ns: older frames are rolled up (`keeping.py`); None: never.
        most_bytes: the same as soon as the file is larger; None: never.
        exact: record everything as it came; else as `thrift.py` says, in about a third of the room.
        pipe: write a stream (`stream.py`) into this descriptor instead of a file; nothing else but *exact* counts then.

    Raises:
        SessionError: the file cannot be made.
    """

    def __init__(
        self,
        path: Path | None,
        facts: Mapping[str, object],
        *,
        exact: bool = False,
        keep_ns: int | None = None,
        most_bytes: int | None = None,
        pipe: int | None = None,
    ) -> None:
        self.path = path
        self._place = str(path) if path is not None else "memory" if pipe is None else "stdout"
        self.problem: str | None = None
        """Why nothing is being written just now (one sentence); None when all is well."""
        self.lost = 0
        """Frames that could not be kept, since the start."""
        self.used_bytes = 0
        """Of the file, as of the last append; beside it lies a -wal of some 2.5 MB that is used again and again."""
        self.abandoned = False
        """Whoever read the pipe is gone: nothing more can be recorded."""
        self._untold = self._taken = 0
        self._keep_ns, self._most_bytes = keep_ns, most_bytes
        self._rolled_up_ns = 0
        self._now_ns = 0
        self._using = threading.Lock()
        self._thrift = None if exact else Thrift()
        if most_bytes is not None and most_bytes < LEAST_BYTES:
            raise SessionError(f"a recording of at most {most_bytes:,} bytes is not possible: allow {LEAST_BYTES:,} or more")
        self._file: Store | None = None
        self._store: Store | StreamStore
        if pipe is None:
            self._store = self._file = Store(
                path, {**facts, "compact": not exact}, durable=path is not None, thrift=self._thrift
            )
        else:
            self._store = StreamStore(pipe, self._thrift)
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
        if self._thrift is not None:
            # before it may have to wait for a slow disk: in a storm of stalls a frame is 2 MB
            frame = self._thrift.bounded(frame)
        if self._untold:
            frame = replace(frame, losses={**frame.losses, LOSS: frame.losses.get(LOSS, 0) + self._untold})
        try:
            self._queue.put_nowait(frame)
        except queue.Full:
            self._untold += 1
            self.lost += 1
        else:
            self._untold = 0
            self._taken += 1

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
        kept = None if self.abandoned else self._store.close(ended)
        if self._defect is not None:
            raise self._defect
        if self.problem is not None:
            return f"{self.problem}; the file holds what came before"
        return kept

    def forget(self) -> None:
        """End without writing what is left, and without waiting for what is being written: of no use for what is in memory."""
        self.abandoned = True
        self._closing.set()

    def _run(self) -> None:
        step_aside()
        try:
            self._record()
        except BrokenPipeError:
            self.abandoned = True
        except BaseException as error:  # raised again where frames are brought: a dead thread must not look like a quiet one
            self._defect = error

    def _record(self) -> None:
        batch: list[Frame] = []
        while True:
            closing = self._closing.wait(APPEND_EVERY_S)
            if self.abandoned:
                return
            if self.problem is None or not batch:
                batch += self._drain()
            before = self._store.frames
            try:
                with self._using:
                    self._store.append(batch)
                    self._now_ns = batch[-1].end_ns if batch else self._now_ns
                    self._roll_up()
                    if self._file is not None and batch:
                        self.used_bytes = self._file.used_bytes
            except sqlite3.Error as error:
                self.problem = f"recording to {self._place} is paused: {error}"
                batch = batch[self._store.frames - before :]
            else:
                batch, self.problem = self._drain() if closing else [], None
            if closing and (not batch or self.problem is not None):
                self._count_left(batch)
                return

    def _roll_up(self) -> None:
        """Once in a while: what is dropped goes by whole blocks."""
        if self._file is None or self._now_ns - self._rolled_up_ns < ROLL_UP_EVERY_NS:
            return
        self._rolled_up_ns = self._now_ns
        if self._keep_ns is not None:
            self._file.forget_before(self._now_ns - self._keep_ns)
        if self._most_bytes is not None and (used := self._file.used_bytes) > self._most_bytes:
            begin_ns = self._file.begin_ns
            if begin_ns is not None:  # a tenth more than what is too much, so that it does not come back at once
                share = min(0.9, 1.1 - self._most_bytes / used)
                self._file.forget_before(begin_ns + round((self._now_ns - begin_ns) * share))

    def copy(self) -> sqlite3.Connection:
        """What is recorded so far, in memory, for any thread. Waits for an append to end. Raises sqlite3.Error."""
        assert self._file is not None
        with self._using:
            other = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            self._file.copy_to(other)
            return other

    def save(self, path: Path, reason: str) -> None:
        """What was taken so far, as a closed file that did not exist. Waits for frames on their way.

        Raises:
            SessionError: it cannot be made.
            sqlite3.Error: it cannot be written; it is removed then.
        """
        assert self._file is not None
        wanted, until = self._taken, time.monotonic() + SAVE_WAITS_S
        while self._store.frames < wanted and time.monotonic() < until:
            time.sleep(0.05)
        with self._using:
            facts = {"ended": {"wall_ns": time.time_ns(), "reason": reason, "lost_frames": self.lost}}
            self._file.save(path, {**facts, "frames": self._file.frames})

    def _drain(self) -> list[Frame]:
        frames: list[Frame] = []
        while True:
            try:
                frames.append(self._queue.get_nowait())
            except queue.Empty:
                return frames

    def _count_left(self, batch: list[Frame]) -> None:
        self.lost += len(batch) + self._queue.qsize()
