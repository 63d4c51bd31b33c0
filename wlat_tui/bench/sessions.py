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
from wlat_tui.frame import Frame
from wlat_tui.sessions.blocks import HEAD, read_head
from wlat_tui.sessions.compact import compact_frame
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.store import BLOCK_FRAMES, Store
from wlat_tui.sources.scripted import ScriptedSource

TICKS_PER_S = 5
SAMPLE_FRAMES = 24 * BLOCK_FRAMES
"""Five minutes, in whole blocks."""
SEEKS = 40
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
    for name, taken in (("exact", sample), ("compact", [compact_frame(frame) for frame in sample])):
        store = Store(directory / f"{name}.wlat", {}, durable=False)
        began = time.thread_time()
        for start in range(0, SAMPLE_FRAMES, TICKS_PER_S):
            store.append(taken[start : start + TICKS_PER_S])
        spent = time.thread_time() - began
        store.close()
        hours = SAMPLE_FRAMES / TICKS_PER_S / 3600
        lines.append(against(f"{name}: an hour takes", store.path.stat().st_size / 1e6 / hours, HOUR_MB, "MB"))
        lines.append(f"  {name}: recording takes {100 * spent / (SAMPLE_FRAMES / TICKS_PER_S):.2f} % of one CPU")
    return lines


def day(path: Path, hours: float) -> None:
    """A recording as long as a day, from five minutes of it: packing every block anew would take half an hour."""
    coming = frames()
    store = Store(path, {}, durable=False)
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
        database.execute(
            "INSERT INTO frame SELECT number + ?, begin_ns + ?, end_ns + ?, wall_ns + ?, worst_wake_ns, worst_service_ns,"
            " worst_response_ns, in_page, new_page, prepared, skipped_slots, error_slots, gap_ns, stalls, missing"
            " FROM frame WHERE number < ?",
            (move, later_ns, later_ns, later_ns, SAMPLE_FRAMES),
        )
    database.execute("DELETE FROM header WHERE key = 'frames'")
    database.commit()
    database.close()


def _renumbered(data: bytes, first: int) -> bytes:
    """The same block under another number; only its head says it."""
    head = read_head(data)
    front = HEAD.pack(data[:4], head.packing, first, head.frames, head.raw_bytes, head.packed_bytes, 0)[:-4]
    packed = data[HEAD.size :]
    return front + struct.pack("<I", zlib.crc32(packed, zlib.crc32(front))) + packed


def opening(path: Path, hours: float) -> list[str]:
    """Open it and look at the first frame; then jump about."""
    began = time.perf_counter()
    with Recording(path) as recording:
        next(recording.frames())
        open_ms = (time.perf_counter() - began) * 1e3
        span_ns = recording.span_ns
        assert span_ns is not None
        dice, times = Random(1), []
        for _ in range(SEEKS):
            at_ns = dice.randrange(*span_ns)
            began = time.perf_counter()
            recording.known_at(min(recording.number_at(at_ns), len(recording) - 1))
            times.append((time.perf_counter() - began) * 1e3)
    return [
        f"sessions: a recording of {hours:g} h ({path.stat().st_size / 1e6:.0f} MB), {SEEKS} random seeks",
        against("open, first frame", open_ms, OPEN_MS, "ms"),
        against("seek, median", median(times), SEEK_MS, "ms"),
        against("seek, slowest", max(times), SEEK_MS, "ms"),
    ]


def run(directory: Path, hours: float) -> list[str]:
    """All of it; lines for the terminal."""
    with tempfile.TemporaryDirectory(dir=directory, prefix="wlat-bench-") as scratch:
        lines = hour(Path(scratch))
        path = Path(scratch) / "day.wlat"
        day(path, hours)
        return [*lines, *opening(path, hours)]
