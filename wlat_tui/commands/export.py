"""``wlat export``: a recording for other programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import IntEnum
from math import isfinite
from pathlib import Path
from struct import iter_unpack
from typing import Any, TextIO

import click

from wlat_tui import __version__
from wlat_tui.commands.files import FILE, numbers, opened, output_file, shown, span_options
from wlat_tui.frame import Frame, HistogramDelta
from wlat_tui.native import bucket_bounds_ns
from wlat_tui.sessions.hlog import hlog_lines
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.schema import TABLES


def plain(value: Any) -> Any:
    """A frame or a part of it as JSON knows it: enums by name, histograms as [lowest ns, highest ns, count]."""
    if isinstance(value, HistogramDelta):
        buckets = [[*bucket_bounds_ns(index), count] for index, count in iter_unpack("=II", value.buckets)]
        return {"span": plain(value.span), "write_class": plain(value.write_class), "buckets": buckets}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def json_lines(frames: Iterable[Frame]) -> Iterator[str]:
    """One frame per line, everything that is in it; null: not read in this frame."""
    for frame in frames:
        yield json.dumps(plain(frame), separators=(",", ":"), allow_nan=False)


def write_csv(recording: Recording, table: str, first: int, end: int, file: TextIO) -> None:
    """One table as it stands in the file; empty: NULL."""
    names = [row[1] for row in recording.rows(f"PRAGMA table_info({table})")]
    by = "number" if table == "frame" else "frame"
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    for row in recording.rows(f"SELECT * FROM {table} WHERE {by} >= ? AND {by} < ? ORDER BY {by}", (first, end)):
        writer.writerow(row)


@click.command()
@FILE
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "json", "hlog"]),
    required=True,
    help="csv: one table; json: a frame per line; hlog: HdrHistogram's interval log.",
)
@click.option("--table", type=click.Choice(TABLES), default="frame", show_default=True, help="Which table, for csv.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, help="A new file; by default stdout.")
@span_options
def export(file: Path, form: str, table: str, output: Path | None, begin: str | None, end: str | None) -> None:
    """Give a recording to other programs."""
    with opened(file) as recording:
        first, last = numbers(recording, begin, end)
        with output_file(output) as out:
            if form == "csv":
                write_csv(recording, table, first, last, out)
                return
            frames = shown(recording.frames(first, last), last - first)
            if form == "hlog":
                lines = hlog_lines(frames, f"wlat {__version__}: {file.name}, nanoseconds")
            else:
                lines = json_lines(frames)
            out.writelines(f"{line}\n" for line in lines)
