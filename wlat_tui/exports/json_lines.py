"""Everything, one frame per line, as JSON.

A line is a `wlat_tui.frame.Frame` under the names and with the units that are documented there (``_ns``, ``_pages`` ...): a
dataclass is an object, a tuple an array, a mapping an object, an enum its name in lower case, and null what was not read in
this frame or what this kernel does not have. Only a histogram is written otherwise, without the engine's numbers of buckets:

    {"span": "service", "write_class": "new_page", "buckets": [[lowest ns, highest ns, count], ...]}

The first line is complete: it brings host, settings, zones ... as they stood. Later lines bring what was read then. Fields are
added now and then, and none changes its meaning within a major version of the file format (``wlat info --json`` tells it).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import IntEnum
from math import isfinite
from struct import iter_unpack
from typing import Any, BinaryIO

from wlat_tui.exports.job import Exporter, Job
from wlat_tui.frame import HistogramDelta
from wlat_tui.histogram import bucket_bounds_ns


def plain(value: Any) -> Any:
    """A frame or a part of it as JSON knows it."""
    if isinstance(value, HistogramDelta):
        buckets = [[*bucket_bounds_ns(index), count] for index, count in iter_unpack("=II", value.buckets)]
        return {"span": plain(value.span), "write_class": plain(value.write_class), "buckets": buckets}
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, tuple):
        return [plain(member) for member in value]
    if isinstance(value, Mapping):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, float) and not isfinite(value):
        return None
    return value


def write(job: Job, file: BinaryIO) -> None:
    """A line per frame, ASCII only."""
    for frame in job.frames():
        file.write(json.dumps(plain(frame), separators=(",", ":"), allow_nan=False).encode() + b"\n")


EXPORTER = Exporter("json", "a frame per line, everything", write)
