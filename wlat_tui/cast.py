"""The screen itself as an asciinema recording, version 2: what was sent to the terminal, and when.

Format: https://docs.asciinema.org/manual/asciicast/v2/ : a line with the header (a JSON object), then one JSON array per event:
seconds since the start, "o" for output or "r" for a new size, and the text.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from codecs import getincrementaldecoder
from pathlib import Path
from typing import TextIO

QUEUE_EVENTS = 2_000
"""Waiting for a slow disk; when there are more, the recording ends there: a terminal's output with holes is garbage."""
_BEFORE = "\x1b[?1049h\x1b[?25l"
"""Was sent before anything could be recorded: the alternate screen, no cursor."""
_Event = tuple[float, str, str]


class Cast:
    """Written by a thread of its own: the screen never waits for the disk.

    Args:
        path: must not exist yet; made with mode 0600.
        title: for players.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self.problem: str | None = None
        """Why it ended early (one sentence); None: it goes on, or ended as it should."""
        self._title = title
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self._file: TextIO = open(fd, "w", encoding="utf-8")  # noqa: SIM115 - closed by the thread
        self._events: queue.Queue[_Event | None] = queue.Queue(QUEUE_EVENTS)
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        self._began: float | None = None
        self._thread = threading.Thread(target=self._run, name="cast", daemon=True)

    def begin(self, width: int, height: int) -> None:
        """The screen has this size now, and time begins."""
        if self._began is not None:
            return
        self._began = time.monotonic()
        term = {name: os.environ[name] for name in ("TERM", "SHELL") if name in os.environ}
        header = {
            "version": 2,
            "width": width,
            "height": height,
            "timestamp": int(time.time()),
            "title": self._title,
            "env": term,
        }
        self._head = json.dumps(header)
        self._thread.start()
        self._put("o", _BEFORE)

    def output(self, data: bytes) -> None:
        """Something was sent to the terminal."""
        if text := self._decode(data):
            self._put("o", text)

    def resize(self, width: int, height: int) -> None:
        """The terminal has another size."""
        self._put("r", f"{width}x{height}")

    def close(self) -> str | None:
        """Write what is left. Returns what the user must know, or None. Idempotent."""
        if self._began is None:
            self._file.close()
            return self.problem
        if self._thread.is_alive():
            self._events.put(None)
            self._thread.join()
        return self.problem

    def _put(self, kind: str, text: str) -> None:
        if self._began is None or self.problem is not None:
            return
        try:
            self._events.put_nowait((round(time.monotonic() - self._began, 6), kind, text))
        except queue.Full:
            self.problem = f"the screen is recorded to {self.path} only up to here: the disk is too slow"

    def _run(self) -> None:
        try:
            with self._file as file:
                file.write(self._head + "\n")
                while (event := self._events.get()) is not None:
                    if self.problem is None:
                        file.write(json.dumps(event) + "\n")
                        if self._events.empty():
                            file.flush()
        except OSError as error:
            self.problem = f"the screen is recorded to {self.path} only up to here: {error.strerror}"
            while self._events.get() is not None:
                pass
