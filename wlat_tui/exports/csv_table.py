"""One table as comma-separated values."""

from __future__ import annotations

import csv
import io
from typing import BinaryIO

from wlat_tui.exports import tables
from wlat_tui.exports.job import Exporter, Job


def write(job: Job, file: BinaryIO) -> None:
    """A heading, then a row per line; empty: NULL."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(name for name, _ in tables.columns(job))
        writer.writerows(tables.rows(job))
    finally:
        text.detach()


EXPORTER = Exporter("csv", "one table", write)
