"""Tables of a recording, row by row: those of the file, and the histograms that are packed in its frames."""

from __future__ import annotations

from collections.abc import Iterator
from struct import iter_unpack
from typing import Any

from wlat_tui.exports.job import Job
from wlat_tui.histogram import bucket_bounds_ns
from wlat_tui.sessions.schema import TABLES

HISTOGRAM = "histogram"
NAMES = (*TABLES, HISTOGRAM)
_HISTOGRAM_COLUMNS = (
    *(("frame", "INTEGER"), ("begin_ns", "INTEGER"), ("end_ns", "INTEGER"), ("span", "TEXT"), ("class", "TEXT")),
    *(("low_ns", "INTEGER"), ("high_ns", "INTEGER"), ("count", "INTEGER")),
)


def columns(job: Job) -> list[tuple[str, str]]:
    """(name, SQLite's type) of each column."""
    if job.table == HISTOGRAM:
        return list(_HISTOGRAM_COLUMNS)
    return [(row[1], row[2]) for row in job.recording.rows(f"PRAGMA table_info({job.table})")]


def rows(job: Job) -> Iterator[tuple[Any, ...]]:
    """In the order of frames. None: not read, or not in this kernel."""
    if job.table == HISTOGRAM:
        yield from _histograms(job)
        return
    by = "number" if job.table == "frame" else "frame"
    where, span = f"FROM {job.table} WHERE {by} >= ? AND {by} < ?", (job.first, job.end)
    (count,) = job.recording.row(f"SELECT count(*) {where}", span) or (0,)
    # in the order they were written: another one would sort a day of them first
    order = "frame, node" if job.table == "node" else "rowid"
    yield from job.watch(job.recording.rows(f"SELECT * {where} ORDER BY {order}", span), count)


def _histograms(job: Job) -> Iterator[tuple[Any, ...]]:
    """A row per bucket that holds writes: how many of a tick took from low_ns to high_ns."""
    for number, frame in enumerate(job.frames(), job.first):
        tick = frame.writer
        for delta in tick.histograms if tick is not None else ():
            what = (number, frame.begin_ns, frame.end_ns, delta.span.name.lower(), delta.write_class.name.lower())
            for index, count in sorted(iter_unpack("=II", delta.buckets)):
                yield (*what, *bucket_bounds_ns(index), count)
