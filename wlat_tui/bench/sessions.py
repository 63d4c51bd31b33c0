"""Recordings: how much an hour takes, what recording costs, and how quickly a whole day opens and seeks."""

from __future__ import annotations

import sqlite3
import struct
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median

from wlat_tui.bench.figures import against
from wlat_tui.frame import Frame, Span
from wlat_tui.model.session import Session
from wlat_tui.sessions.blocks import HEAD, read_head
from wlat_tui.sessions.digests import TOTAL_EVERY, Sum, pack_digest, unpack_digest
from wlat_tui.sessions.past import session_at
from wlat_tui.sessions.places import overview, worst_frame
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.store import BLOCK_FRAMES, Store
from wlat_tui.sessions.thrift import Thrift
from wlat_tui.sources.scripted import ScriptedSource

TICKS_PER_S = 5
SAMPLE_FRAMES = 24 * BLOCK_FRAMES
"""Five minutes, in whole blocks."""
SEEKS = 40
COPIED = {"frame": "number", "stall": "frame", "mark": "frame", "digest": "first", "digest_node": "first"}
"""Tables that a jump reads, and the column that numbers their frames."""
MOMENTS = ("begin_ns", "end_ns", "wall_ns", "planned_ns", "at_ns")
HOUR_MB, OPEN_MS, SEEK_MS = 10, 1_000, 100


def frames() -> Iterator[Frame]:
    source = ScriptedSource(realtime=False, scenario="told")
    while True:
        yield source.next_frame()


def hour(directory: Path) -> list[str]:
    """Five minutes of the scripted two-node host, as recorded second by second; scaled up to an hour."""
    lines = [f"sessions: {SAMPLE_FRAMES / TICKS_PER_S:.0f} s of the scripted two-node host, {TICKS_PER_S} ticks a second"]
    coming = frames()
    sample = [next(coming) for _ in range(SAMPLE_FRAMES)]
    small = Store(directory / "empty.wlat", {}, durable=False)
    small.append(sample[:1])
    small.close()
    empty = (directory / "empty.wlat").stat().st_size  # a page per table: does not grow
    for name, thrift in (("by default", Thrift()), ("--exact", None)):
        path = directory / f"{name.strip('-')}.wlat"
        store = Store(path, {}, durable=False, coarsen=None if thrift is None else thrift.coarsened)
        began = time.thread_time()
        for start in range(0, SAMPLE_FRAMES, TICKS_PER_S):
            some = sample[start : start + TICKS_PER_S]
            store.append(some if thrift is None else list(map(thrift.bounded, some)))
        spent = time.thread_time() - began
        store.close()
        megabytes = (empty + (path.stat().st_size - empty) / (SAMPLE_FRAMES / TICKS_PER_S / 3600)) / 1e6
        if thrift is None:
            lines.append(f"  {f'{name}: an hour takes':<34}{megabytes:>12.2f} MB")
        else:
            lines.append(against(f"{name}: an hour takes", megabytes, HOUR_MB, "MB"))
        lines.append(f"  {name}: recording takes {100 * spent / (SAMPLE_FRAMES / TICKS_PER_S):.2f} % of one CPU")
    return lines


def day(path: Path, hours: float) -> None:
    """A recording as long as a day, from five minutes of it: packing every block anew would take half an hour.

    The rows say a day; the frames inside the blocks still say the first five minutes, which costs a reader as much.
    """
    coming, thrift = frames(), Thrift()
    store = Store(path, {}, durable=False, coarsen=thrift.coarsened)
    for _ in range(SAMPLE_FRAMES // BLOCK_FRAMES):
        store.append([next(coming) for _ in range(BLOCK_FRAMES)])
    store.close()
    database = sqlite3.connect(path)
    blocks = database.execute("SELECT first, begin_ns, end_ns, carried, data FROM block ORDER BY first").fetchall()
    length_ns = blocks[-1][2] - blocks[0][1]
    for turn in range(1, round(hours * 3600 * TICKS_PER_S / SAMPLE_FRAMES)):
        move, later_ns = turn * SAMPLE_FRAMES, turn * length_ns
        for first, begin_ns, end_ns, carried, data in blocks:
            row = (first + move, BLOCK_FRAMES, begin_ns + later_ns, end_ns + later_ns, carried, _renumbered(data, first + move))
            database.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)", row)
        for table, key in COPIED.items():
            names = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            moved = ", ".join(f"{name} + {move}" if name == key else _later(name, later_ns) for name in names)
            database.execute(f"INSERT INTO {table} SELECT {moved} FROM {table} WHERE {key} < {SAMPLE_FRAMES}")
    _add_totals(database)
    database.execute("DELETE FROM header WHERE key = 'frames'")
    database.commit()
    database.close()


def _later(column: str, by_ns: int) -> str:
    return f"{column} + {by_ns}" if column in MOMENTS else f'"{column}"'


def _add_totals(database: sqlite3.Connection) -> None:
    """What the recorder would have put into every sixteenth digest."""
    total = Sum()
    rows = database.execute("SELECT first, data FROM digest ORDER BY first").fetchall()
    for i, (first, data) in enumerate(rows, 1):
        total.add(unpack_digest(data))
        packed = pack_digest(total.read()) if i % TOTAL_EVERY == 0 else None
        database.execute("UPDATE digest SET total = ? WHERE first = ?", (packed, first))


def _renumbered(data: bytes, first: int) -> bytes:
    """The same block under another number; only its head says it."""
    head = read_head(data)
    front = HEAD.pack(data[:4], head.packing, first, head.frames, head.raw_bytes, head.packed_bytes, 0)[:-4]
    packed = data[HEAD.size :]
    return front + struct.pack("<I", zlib.crc32(packed, zlib.crc32(front))) + packed


def opening(path: Path, hours: float) -> list[str]:
    """Open it and show the first moment; then jump about, as the screen does: everything counted since the start, charts."""
    began = time.perf_counter()
    with Recording(path) as recording:
        _draw(session_at(recording, 0))
        overview(recording, Span.SERVICE, 120)
        open_ms = (time.perf_counter() - began) * 1e3
        dice, times, charts = Random(1), [], []
        for _ in range(SEEKS):
            number = dice.randrange(len(recording))
            began = time.perf_counter()
            session = session_at(recording, number)
            times.append((time.perf_counter() - began) * 1e3)
            began = time.perf_counter()
            _draw(session)
            charts.append((time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        worst_frame(recording, Span.SERVICE)
        worst_ms = (time.perf_counter() - began) * 1e3
    return [
        f"sessions: a recording of {hours:g} h ({path.stat().st_size / 1e6:.0f} MB), {SEEKS} random seeks",
        against("open, first frame", open_ms, OPEN_MS, "ms"),
        against("seek, median", median(times), SEEK_MS, "ms"),
        against("seek, slowest", max(times), SEEK_MS, "ms"),
        against("finding the worst write", worst_ms, SEEK_MS, "ms"),
        f"  a day's chart after a seek: {median(charts):.0f} ms (not drawn below 30 rows, nor anew while nothing moves)",
    ]


def _draw(session: Session) -> None:
    """What the chart asks a session for, over a day."""
    begin_ns, end_ns = session.now_ns - 86_400 * 10**9, session.now_ns
    session.worst[Span.SERVICE].columns(begin_ns, end_ns, 112)
    for series in session.memory.values():
        series.columns(begin_ns, end_ns, 112)


def run(directory: Path, hours: float) -> list[str]:
    """All of it; lines for the terminal."""
    with tempfile.TemporaryDirectory(dir=directory, prefix="wlat-bench-") as scratch:
        lines = hour(Path(scratch))
        path = Path(scratch) / "day.wlat"
        day(path, hours)
        return [*lines, *opening(path, hours)]
