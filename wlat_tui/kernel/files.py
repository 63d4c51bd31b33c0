"""Reading small kernel files, once or again and again."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

CHUNK_BYTES = 1 << 16
_GONE = (FileNotFoundError, NotADirectoryError, ProcessLookupError)


def read_text(path: Path | str) -> str | None:
    """The whole file, or None when it does not exist. Trailing NULs (padded or C-string sysfs attributes) are dropped.

    Without a file object, which would stat, seek and buffer: a quarter of the time for a small file.

    Raises:
        OSError: it exists and cannot be read; ``filename`` is set.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = b"".join(iter(lambda: os.read(fd, CHUNK_BYTES), b""))
        finally:
            os.close(fd)
    except _GONE:
        return None
    except OSError as error:
        error.filename = error.filename or str(path)  # set by a failed open, not by a failed read
        raise
    return decode(data)


def read_line(path: Path | str) -> str | None:
    """The file without surrounding blanks, or None when it does not exist."""
    text = read_text(path)
    return None if text is None else text.strip()


def decode(data: bytes) -> str:
    return data.rstrip(b"\0").decode("utf-8", "surrogateescape")


def parse_rows(text: str) -> dict[str, int]:
    """Rows of ``name value``. Source: /proc/vmstat, nodeN/vmstat, nodeN/numastat.

    A row without a name (printed by 4.14.y, 4.17 to 4.19 and early el8 kernels, whose name table was one entry short) is
    kept under "". Lines without a number are skipped.
    """
    pairs = parse_pairs(text)
    if pairs is not None:
        return pairs
    rows: dict[str, int] = {}
    for line in text.split("\n"):
        name, _, value = line.strip().rpartition(" ")
        if value.isdecimal():
            rows[name.rstrip()] = int(value)
    return rows


def parse_pairs(text: str) -> dict[str, int] | None:
    """All rows at once, several times as fast as line by line; None when not every line is one name and one number."""
    words = text.split()
    values = words[1::2]
    if len(words) != 2 * len(text.splitlines()) or not "".join(values).isdecimal():
        return None
    return dict(zip(words[::2], map(int, values), strict=True))


class KeptFile:
    """A kernel file held open and read again from its start with pread.

    Saves path lookup, open and, for seq_file, growing the buffer and printing everything twice (fs/seq_file.c): half the cost.
    Whoever holds one must close it. ``single`` says that one pread returns everything, true of sysfs attributes (a page).
    """

    def __init__(self, path: Path, *, single: bool = False) -> None:
        """Raises OSError when the file cannot be opened."""
        self.path = path
        self._single = single
        self._fd: int | None = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> bytes:
        """The file as it is now. Raises OSError (ENODEV: the device is gone), with the file's name."""
        if self._fd is None:
            raise ValueError(f"{self.path} was closed")
        try:
            data = os.pread(self._fd, CHUNK_BYTES, 0)
            if self._single or not data:
                return data
            parts, offset = [data], len(data)
            while data := os.pread(self._fd, CHUNK_BYTES, offset):
                parts.append(data)
                offset += len(data)
        except OSError as error:
            error.filename = str(self.path)
            raise
        return b"".join(parts)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
