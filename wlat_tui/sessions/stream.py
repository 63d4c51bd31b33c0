"""A recording as a stream, for pipes: blocks (`blocks.py`) one after the other, about one a second, as they are measured.

``wlat record -o -`` writes it, ``wlat replay -`` reads it while it grows; a file of it is no database and has no header.
"""

from __future__ import annotations

import os
import select
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from wlat_tui.frame import Frame
from wlat_tui.sessions.blocks import HEAD, MAGIC, MOST_BYTES, pack_block, read_head, unpack_block
from wlat_tui.sessions.columns import Damaged
from wlat_tui.sessions.thrift import Thrift

MOST_TOGETHER = 60
"""Frames in one block."""
MOST_WAITING_BYTES = 4 << 20
"""Held for a reader who does not take it; then nothing more is accepted."""
PATIENCE_S = 1.0
"""Waited for the reader in one go."""
FAREWELL_S = 5.0
"""Waited for the reader at the end."""


class StreamStore:
    """Frames into a pipe, whose reader may be slow. Not for several threads at once.

    Args:
        fd: stays open.
        thrift: says what is kept of the frames of a block; None: all.
    """

    def __init__(self, fd: int, thrift: Thrift | None = None) -> None:
        self.frames = 0
        """Accepted so far."""
        self._fd, self._thrift = fd, thrift
        self._waiting = bytearray()

    def append(self, frames: Sequence[Frame]) -> None:
        """Accept frames and give the reader what it takes.

        Raises:
            sqlite3.OperationalError: too much is waiting for the reader; as with a full disk, it can be tried again.
            OSError: they cannot be written (BrokenPipeError: nobody reads any more).
        """
        for start in range(0, len(frames), MOST_TOGETHER):
            self._give(PATIENCE_S)
            if len(self._waiting) > MOST_WAITING_BYTES:
                raise sqlite3.OperationalError("whoever reads the stream does not take it")
            some = frames[start : start + MOST_TOGETHER]
            kept = some if self._thrift is None else self._thrift.coarsened(some)
            block = pack_block(self.frames, kept, small=False)
            self._waiting += block
            if self._thrift is not None:
                self._thrift.grew(len(block), some[-1].end_ns - some[0].begin_ns)
            self.frames += len(some)
        self._give(PATIENCE_S)

    def close(self, facts: Mapping[str, object] | None = None) -> str | None:
        """Give the reader a last chance; what it did not get, in one sentence. *facts* have no place in a stream.

        Raises:
            OSError: they cannot be written.
        """
        with suppress(BrokenPipeError):  # then it did not get them
            self._give(FAREWELL_S)
        return f"the reader did not take the last {len(self._waiting):,} bytes of the stream" if self._waiting else None

    def _give(self, patience_s: float) -> None:
        until = time.monotonic() + patience_s
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while self._waiting and poll.poll(max(0, until - time.monotonic()) * 1e3):
            # a pipe that takes anything takes this much without making us wait
            with memoryview(self._waiting) as waiting:
                given = os.write(self._fd, waiting[: select.PIPE_BUF])
            del self._waiting[:given]


def read_stream(fd: int, begun: bytes = b"") -> Iterator[list[Frame]]:
    """The frames of each block, as they arrive.

    Args:
        fd: blocking.
        begun: what was read of it already.

    Raises:
        Damaged: it is not such a stream, or breaks off inside a block (one sentence).
        OSError: it cannot be read.
    """
    frames = 0
    while head := read_whole(fd, HEAD.size, begun):
        if not head.startswith(MAGIC) or len(head) < HEAD.size:
            raise Damaged("a block is cut off" if head.startswith(MAGIC) else "a block does not begin as blocks do")
        size = read_head(head).packed_bytes
        if size > MOST_BYTES:
            raise Damaged(f"a block announces {size:,} bytes")
        block = unpack_block(head + read_whole(fd, size))
        if read_head(head).first != frames:
            raise Damaged(f"frame {frames} is missing")
        frames += len(block)
        begun = b""
        yield block


def read_whole(fd: int, size: int, begun: bytes = b"") -> bytes:
    """So many bytes; fewer at the end of the stream only."""
    parts, left = [begun], size - len(begun)
    while left > 0 and (part := os.read(fd, min(left, 1 << 16))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
