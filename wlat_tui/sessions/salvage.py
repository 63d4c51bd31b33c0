"""What can be saved of a damaged recording: its blocks, looked for page by page, without SQLite.

Only the file format of SQLite is used (sqlite.org/fileformat2.html): leaves of tables and chains of overflow pages, with the
pages of a -wal beside the file laid over them. Every block names its frames and carries a checksum, so nothing wrong is saved,
and blocks left over from before they were put together are good spares.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wlat_tui.frame import Frame
from wlat_tui.sessions.blocks import HEAD, MAGIC, read_head, unpack_block
from wlat_tui.sessions.columns import Damaged

_LEAF = 0x0D
_WAL_MAGICS = (0x377F0682, 0x377F0683)
_WAL_HEAD, _WAL_FRAME_HEAD = 32, 24
MOST_BYTES = 1 << 28


@dataclass(slots=True)
class Found:
    """What the search came to, for the user."""

    frames: int = 0
    missing: int = 0
    """Frames whose numbers are known to have existed, but that no whole block holds."""
    damaged: int = 0
    """Blocks that were found but are not whole."""


class Pages:
    """The pages of a database file and its -wal. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._wal: int | None = None
        self._over: dict[int, int] = {}
        head = os.pread(self._file, 100, 0)
        size = int.from_bytes(head[16:18], "big") if len(head) >= 18 else 0
        size = 65536 if size == 1 else size
        # a destroyed head: wlat's own files have SQLite's usual page size
        self.bytes = size if size in (512 << n for n in range(8)) else 4096
        try:
            self._wal = os.open(f"{path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            pass  # it was closed in order, or never reached the -wal
        else:
            self._lay_over(self._wal)
        self.count = max(-(-os.fstat(self._file).st_size // self.bytes), max(self._over, default=0))

    def close(self) -> None:
        os.close(self._file)
        if self._wal is not None:
            os.close(self._wal)

    def read(self, number: int) -> bytes:
        """A page by its number (from 1), filled up with zeros where the file ends."""
        if number in self._over and self._wal is not None:
            return os.pread(self._wal, self.bytes, self._over[number]).ljust(self.bytes, b"\0")
        return os.pread(self._file, self.bytes, (number - 1) * self.bytes).ljust(self.bytes, b"\0")

    def _lay_over(self, wal: int) -> None:
        """Pages of finished transactions; frames of an older round have other salts."""
        head = os.pread(wal, _WAL_HEAD, 0)
        if len(head) < _WAL_HEAD:
            return
        magic, _, size, _ = struct.unpack_from(">4I", head)
        if magic not in _WAL_MAGICS or size != self.bytes:
            return
        at, pending = _WAL_HEAD, {}
        while len(frame := os.pread(wal, _WAL_FRAME_HEAD, at)) == _WAL_FRAME_HEAD and frame[8:16] == head[16:24]:
            number, committed = struct.unpack_from(">2I", frame)
            pending[number] = at + _WAL_FRAME_HEAD
            if committed:
                self._over.update(pending)
                pending = {}
            at += _WAL_FRAME_HEAD + self.bytes


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """(value, where it ends) of an SQLite varint. Raises IndexError."""
    value = 0
    for place in range(9):
        byte = page[at + place]
        if place == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + place + 1
    raise AssertionError("unreachable")


def _payload(pages: Pages, page: bytes, at: int) -> bytes:
    """The content of a table leaf's cell, overflow included, as far as it goes. Raises IndexError."""
    size, at = _varint(page, at)
    _, at = _varint(page, at)
    usable = pages.bytes
    if size <= usable - 35:
        return page[at : at + size]
    least = (usable - 12) * 32 // 255 - 23
    local = least + (size - least) % (usable - 4)
    local = local if local <= usable - 35 else least
    parts, left = [page[at : at + local]], min(size, MOST_BYTES) - local
    following = int.from_bytes(page[at + local : at + local + 4], "big")
    while left > 0 and 0 < following <= pages.count:
        page = pages.read(following)
        parts.append(page[4 : 4 + left])
        left -= len(parts[-1])
        following = int.from_bytes(page[:4], "big")
    return b"".join(parts)


def _blocks_of(pages: Pages, number: int) -> Iterator[tuple[int, bytes]]:
    """(cell's place, block) of every block whose cell is in this page."""
    page = pages.read(number)
    start = 100 if number == 1 else 0
    if page[start] != _LEAF:
        return
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    for cell in range(min(cells, pages.bytes // 4)):
        pointer = start + 8 + 2 * cell
        at = int.from_bytes(page[pointer : pointer + 2], "big")
        # the block is the last column; a cell without its beginning in this page is of another table
        if page.find(MAGIC, at) < 0:
            continue
        try:
            payload = _payload(pages, page, at)
        except IndexError:
            continue  # a pointer to nowhere: this page is damaged here
        begin = payload.find(MAGIC)
        if begin >= 0:
            yield at, payload[begin:]


def salvage(path: Path, found: Found) -> Iterator[Frame]:
    """Every frame that is whole, in order, each once.

    Args:
        path: the damaged recording.
        found: is counted up meanwhile.

    Raises:
        OSError: the file cannot be read.
    """
    pages = Pages(path)
    try:
        places = []
        for number in range(1, pages.count + 1):
            for at, block in _blocks_of(pages, number):
                if len(block) >= HEAD.size:
                    head = read_head(block)
                    places.append((head.first, -head.frames, number, at))
        places.sort()
        need = 0
        for first, negative, number, at in places:
            end = first - negative
            if end <= need:
                continue
            try:
                block = next(data for place, data in _blocks_of(pages, number) if place == at)
                frames = unpack_block(block[: HEAD.size + read_head(block).packed_bytes])
            except Damaged:
                found.damaged += 1
                continue
            found.missing += max(0, first - need)
            wanted = frames[max(0, need - first) :]
            found.frames += len(wanted)
            need = end
            yield from wanted
    finally:
        pages.close()
