"""A stream (`stream.py`) that is being received, as a recording that grows: all of it can be gone back to meanwhile."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

from wlat_tui.sessions.columns import Damaged
from wlat_tui.sessions.store import Store
from wlat_tui.sessions.stream import read_stream


class Feed:
    """Reads a stream into a file, in a thread of its own, until the stream ends.

    Args:
        fd: of the stream; closed when it ends.
        begun: what was read of it already.
        path: the file; must not exist.

    Raises:
        SessionError: the file cannot be made.
    """

    def __init__(self, fd: int, begun: bytes, path: Path) -> None:
        self.problem: str | None = None
        """Why it broke off (one sentence), or None."""
        self._fd, self._begun = fd, begun
        self._store = Store(path, {"source": "a stream"}, durable=False)
        self._here = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._thread.start()

    @property
    def growing(self) -> bool:
        """Whether more may come."""
        return self._thread.is_alive()

    def wait(self) -> bool:
        """Wait for the first frames; False: the stream ended without any."""
        self._here.wait()
        return self._store.frames > 0

    def join(self) -> None:
        """Wait for the end of the stream."""
        self._thread.join()

    def _run(self) -> None:
        try:
            for frames in read_stream(self._fd, self._begun):
                self._store.append(frames)
                self._here.set()
        except (Damaged, OSError, sqlite3.Error) as error:
            self.problem = f"the stream broke off after frame {self._store.frames}: {error}"
        finally:
            os.close(self._fd)
            self._store.close()
            self._here.set()
