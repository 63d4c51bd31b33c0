"""A recording as long as a day from five minutes of it, for benchmarks: packing every block anew would take half an hour.

Its frames are those of the five minutes, told again at later times; their histograms are packed once. The kernel's counters
begin anew every five minutes, as after a boot. Tables that neither a jump nor a fold reads hold the first five minutes only.
"""

from __future__ import annotations

import dataclasses
import json
import lzma
import sqlite3
import struct
import typing
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wlat_tui.frame import Frame, WriterTick
from wlat_tui.sessions.blocks import FILTERS, HEAD, MAGIC, read_head, unpacked
from wlat_tui.sessions.columns import Cursor, chunk, pack_ints, unpack_ints, uvarint
from wlat_tui.sessions.digests import TOTAL_EVERY, Sum, pack_digest, unpack_digest
from wlat_tui.sessions.shapes import codec_of
from wlat_tui.sessions.store import BLOCK_FRAMES

COPIED = {"frame": "number", "stall": "frame", "suspect": "frame", "mark": "frame", "digest_node": "first"}
"""Tables that a jump reads, and the column that numbers their frames."""
MOMENTS = ("begin_ns", "end_ns", "wall_ns", "planned_ns", "at_ns", "from_ns", "to_ns", "first_ns", "last_ns")
NUMBERS = ("seq", "last_seq")
MOVED = {
    Frame: ("begin_ns", "wall_ns", "marks", "traces", "disturbances"),
    WriterTick: ("seq", "begin_ns", "wall_ns", "stalls", "worst", "inflight"),
}
"""Fields that say when; their ends are written relative to these."""


class Shift(NamedTuple):
    """How much later."""

    ns: int
    frames: int


def repeat(path: Path, times: int) -> None:
    """Make a closed recording of whole blocks *times* as long."""
    database = sqlite3.connect(path)
    blocks = database.execute("SELECT first, begin_ns, end_ns, carried, data FROM block ORDER BY first").fetchall()
    digests = database.execute("SELECT * FROM digest ORDER BY first").fetchall()
    frames, length_ns = len(blocks) * BLOCK_FRAMES, blocks[-1][2] - blocks[0][1]
    histograms: dict[int, bytes] = {}
    for turn in range(1, times):
        by = Shift(turn * length_ns, turn * frames)
        for first, begin_ns, end_ns, carried, data in blocks:
            numbers = json.dumps({name: number + by.frames for name, number in json.loads(carried).items()})
            block = _block(data, first + by.frames, by, histograms)
            row = (first + by.frames, BLOCK_FRAMES, begin_ns + by.ns, end_ns + by.ns, numbers, block)
            database.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)", row)
        for first, count, begin_ns, end_ns, *figures, data, _ in digests:
            packed = pack_digest(_later(unpack_digest(data), by))
            row = (first + by.frames, count, begin_ns + by.ns, end_ns + by.ns, *figures, packed, None)
            database.execute(f"INSERT INTO digest VALUES ({','.join('?' * len(row))})", row)
        for table, key in COPIED.items():
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            moved = ", ".join(
                f"{name} + {by.frames}" if name == key else f"{name} + {by.ns}" if name in MOMENTS else f'"{name}"'
                for name in names
            )
            database.execute(f"INSERT INTO {table} SELECT {moved} FROM {table} WHERE {key} < {frames}")
    _add_totals(database)
    database.execute("DELETE FROM header WHERE key = 'frames'")
    database.commit()
    database.close()


def _block(data: bytes, first: int, by: Shift, histograms: dict[int, bytes]) -> bytes:
    """The same block at a later time. *histograms*: packed ones, by the checksum of the block they came in."""
    head = read_head(data)
    raw = unpacked(head, data[HEAD.size :])
    moved = _record(Frame, Cursor(raw), head.frames, by)
    same = _histograms(raw)
    if head.crc not in histograms:
        histograms[head.crc] = _packed(same)[:-1]
    front, _, back = moved.partition(same)
    # a stream ends with a zero; what follows begins with an empty dictionary, so streams can be put together
    packed = _packed(front)[:-1] + histograms[head.crc] + _packed(back)
    begin = HEAD.pack(MAGIC, head.packing, first, head.frames, len(moved), len(packed), 0)[:-4]
    return begin + struct.pack("<I", zlib.crc32(packed, zlib.crc32(begin))) + packed


def _packed(raw: bytes) -> bytes:
    return lzma.compress(raw, lzma.FORMAT_RAW, filters=FILTERS)


def _fields(data: Cursor) -> dict[str, bytes]:
    return {data.take(data.uvarint()).decode(): data.take(data.uvarint()) for _ in range(data.uvarint())}


def _histograms(raw: bytes) -> bytes:
    writer = Cursor(_fields(Cursor(raw))["writer"])
    unpack_ints(writer, BLOCK_FRAMES)
    return _fields(writer)["histograms"]


def _record(kind: type, data: Cursor, count: int, by: Shift) -> bytes:
    """A record of *kind* with its moments later; all other fields are taken as they are."""
    hints, fields = typing.get_type_hints(kind), _fields(data)
    for name in MOVED[kind]:
        codec = codec_of(hints[name])
        values = codec.unpack(Cursor(fields[name]), count)
        fields[name] = codec.pack([_moment(name, value, by) for value in values])
    if kind is Frame:
        writer = Cursor(fields["writer"])
        there = unpack_ints(writer, count)
        fields["writer"] = pack_ints(there) + _record(WriterTick, writer, sum(there), by)
    return uvarint(len(fields)) + b"".join(chunk(name.encode()) + chunk(part) for name, part in fields.items())


def _moment(name: str, value: Any, by: Shift) -> Any:
    if isinstance(value, int) and name in (*MOMENTS, *NUMBERS):
        # 0: not ended yet
        return value + (by.ns if name in MOMENTS else by.frames) if value else value
    return _later(value, by)


def _later(value: Any, by: Shift) -> Any:
    """The same with every moment inside it later."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return tuple(_later(member, by) for member in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    names = [field.name for field in dataclasses.fields(value)]
    return dataclasses.replace(value, **{name: _moment(name, getattr(value, name), by) for name in names})


def _add_totals(database: sqlite3.Connection) -> None:
    """What the recorder would have put into every eighth digest."""
    total = Sum()
    rows = database.execute("SELECT first, data FROM digest ORDER BY first").fetchall()
    for i, (first, data) in enumerate(rows, 1):
        total.add(unpack_digest(data))
        packed = pack_digest(total.read()) if i % TOTAL_EVERY == 0 else None
        database.execute("UPDATE digest SET total = ? WHERE first = ?", (packed, first))
