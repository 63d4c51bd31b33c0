"""A neighbour on the same filesystem that syncs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from wlat_tui.loads import Option
from wlat_tui.units import parse_duration_ns

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

FILE_BYTES = 16 << 20
RECORD = bytes(4096)


@dataclass(frozen=True, slots=True)
class FsyncNeighbour:
    """Appends 4 KiB to a nameless file, 16 MiB of it at most, and waits until it is on the disk, like a database's log.

    A write() elsewhere on the filesystem then meets journal commits: a locked transaction, buffers under commit.
    """

    name: ClassVar[str] = "fsync"
    effect: ClassVar[str] = "writes and fsyncs a nameless file on the same filesystem over and over"
    every_ns: int = 20_000_000

    @classmethod
    def options(cls) -> Mapping[str, Option]:
        return {"every": Option("every_ns", parse_duration_ns)}

    def unavailable(self, directory: Path) -> str | None:
        try:
            os.close(_open(directory))
        except OSError as error:
            return f"{directory} cannot hold a nameless file: {error.strerror}"
        return None

    def settled(self, session: Session) -> bool:
        return True

    def run(self) -> None:
        fd, at = _open(Path()), 0
        while True:
            os.pwrite(fd, RECORD, at)
            os.fsync(fd)
            at = (at + len(RECORD)) % FILE_BYTES
            time.sleep(self.every_ns / 1e9)


def _open(directory: Path) -> int:
    return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
