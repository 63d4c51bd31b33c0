"""Recordings: how much an hour takes, what recording costs, and how quickly a whole day opens and seeks."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median

from wlat_tui.bench.figures import against
from wlat_tui.bench.long_recording import repeat
from wlat_tui.bench.terminal import BenchError
from wlat_tui.frame import Frame, Span
from wlat_tui.model.session import Session
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
READ_HOURS = 1.0
"""Reports and exports read frame by frame."""
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
        store = Store(path, {}, durable=False, thrift=thrift)
        began = time.thread_time()
        for start in range(0, SAMPLE_FRAMES, TICKS_PER_S):
            some = sample[start : start + TICKS_PER_S]
            store.append(some if thrift is None else list(map(thrift.bounded, some)))
        spent = time.thread_time() - began
        store.close()
        free = _free_bytes(path)
        once = empty + free
        megabytes = (once + (path.stat().st_size - once) / (SAMPLE_FRAMES / TICKS_PER_S / 3600)) / 1e6
        if thrift is None:
            lines.append(f"  {f'{name}: an hour takes':<34}{megabytes:>12.2f} MB")
        else:
            lines.append(against(f"{name}: an hour takes", megabytes, HOUR_MB, "MB"))
        lines.append(f"  {name}: recording takes {100 * spent / (SAMPLE_FRAMES / TICKS_PER_S):.2f} % of one CPU")
    return lines


def _free_bytes(path: Path) -> int:
    """Room that the quick blocks of the last seconds took: used again all the time, so it does not grow either."""
    with closing(sqlite3.connect(path)) as database:
        (pages,), (size,) = (database.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_size"))
    return int(pages) * int(size)


def day(path: Path, hours: float) -> None:
    """A recording of so many hours, from five minutes of it."""
    coming, thrift = frames(), Thrift()
    store = Store(path, {}, durable=False, thrift=thrift)
    for _ in range(SAMPLE_FRAMES // BLOCK_FRAMES):
        store.append([next(coming) for _ in range(BLOCK_FRAMES)])
    store.close()
    repeat(path, round(hours * 3600 * TICKS_PER_S / SAMPLE_FRAMES))


def reading(path: Path, hours: float) -> list[str]:
    """A report and an export of a whole recording, each by a process of its own."""
    lines = [f"sessions: {hours:g} h of it read through"]
    for arguments in (
        ["report", str(path), "-o", f"{path}.html"],
        ["export", str(path), "--format", "hlog", "-o", f"{path}.hlog"],
    ):
        began = time.perf_counter()
        # in a session of its own: a Ctrl-C is not for it
        command = [sys.executable, "-m", "wlat_tui", *arguments]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise BenchError(f"'wlat {' '.join(arguments)}' ended with {child.returncode}")
        spent_s = time.perf_counter() - began
        lines.append(f"  {arguments[0]}: {spent_s:.0f} s, {used.ru_maxrss / 1024:.0f} MiB at most")
    return lines


def opening(path: Path, hours: float) -> list[str]:
    """Open it and show the first moment; then jump about, as the screen does: everything counted since the start, charts."""
    began = time.perf_counter()
    with Recording(path) as recording:
        _draw(session_at(recording, 0))
        overview(recording, Span.SERVICE, 120)
        open_ms = (time.perf_counter() - began) * 1e3
        dice, times, spent, charts = Random(1), [], [], []
        for _ in range(SEEKS):
            number = dice.randrange(len(recording))
            began, cpu = time.perf_counter(), time.thread_time()
            session = session_at(recording, number)
            times.append((time.perf_counter() - began) * 1e3)
            spent.append((time.thread_time() - cpu) * 1e3)
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
        f"  CPU time of a seek: median {median(spent):.0f} ms, most {max(spent):.0f} ms (the rest is waiting for one)",
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
        lines += opening(path, hours)
        part = Path(scratch) / "part.wlat"
        day(part, min(hours, READ_HOURS))
        return [*lines, *reading(part, min(hours, READ_HOURS))]
