"""A recording as an HdrHistogram interval log (.hlog, format 1.3, histograms V2), for HistogramLogAnalyzer and its kin.

The engine's buckets are HdrHistogram's for a lowest value of 1 and three digits, index by index, so nothing is counted anew.
See HistogramLogWriter.java and AbstractHistogram.encodeIntoByteBuffer: a big-endian head, then counts as ZigZag LEB128, where a
negative number is a run of zeros; that, deflated, behind a second head; that as base64.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import BinaryIO

from wlat_tui import __version__
from wlat_tui.exports.job import Exporter, Job
from wlat_tui.frame import Frame, Span
from wlat_tui.histogram import bucket_bounds_ns, bucket_of_ns
from wlat_tui.sessions.columns import uvarint, zigzag

INTERVAL_NS = 1_000_000_000
_COOKIE, _COMPRESSED_COOKIE = 0x1C849313, 0x1C849314
_DIGITS = 3
_HIGHEST_NS = bucket_bounds_ns(bucket_of_ns(2**64 - 1))[1]


def encode_histogram(counts: Mapping[int, int]) -> str:
    """Bucket -> count, as the base64 text of a compressed V2 histogram."""
    body = bytearray()
    following = 0
    for index, count in sorted(counts.items()):
        if index > following:
            zeros = index - following
            body += uvarint(zigzag(-zeros if zeros > 1 else 0))
        body += uvarint(zigzag(count))
        following = index + 1
    head = struct.pack(">iiiiqqd", _COOKIE, len(body), 0, _DIGITS, 1, _HIGHEST_NS, 1.0)
    packed = zlib.compress(head + bytes(body))
    return base64.b64encode(struct.pack(">ii", _COMPRESSED_COOKIE, len(packed)) + packed).decode("ascii")


class _Interval:
    """What is added up for one line per span."""

    def __init__(self) -> None:
        self.begin_ns: int | None = None
        self.end_ns = 0
        self.counts: dict[Span, Counter[int]] = {span: Counter() for span in Span}
        self.worst_ns: dict[Span, int] = {}

    def add(self, frame: Frame) -> None:
        tick = frame.writer
        if tick is None:
            return
        self.begin_ns = tick.begin_ns if self.begin_ns is None else self.begin_ns
        self.end_ns = tick.end_ns
        for delta in tick.histograms:
            for index, count in struct.iter_unpack("=II", delta.buckets):
                self.counts[delta.span][index] += count
        for span, write in zip(Span, tick.worst, strict=True):
            if write is not None:
                took_ns = (write.wake_ns, write.service_ns, write.response_ns)[span]
                self.worst_ns[span] = max(took_ns, self.worst_ns.get(span, 0))

    def lines(self, started_ns: int) -> Iterator[str]:
        """One per span that has counts: tag, start (s), length (s), exact maximum (ms), histogram (ns)."""
        if self.begin_ns is None:
            return
        start_s, length_s = (self.begin_ns - started_ns) / 1e9, (self.end_ns - self.begin_ns) / 1e9
        for span, counts in self.counts.items():
            if counts:
                most_ms = self.worst_ns.get(span, 0) / 1e6
                yield f"Tag={span.name.lower()},{start_s:.3f},{length_s:.3f},{most_ms:.6f},{encode_histogram(counts)}"


def hlog_lines(frames: Iterable[Frame], comment: str) -> Iterator[str]:
    """The log: one interval a second (longer where the writer reported late), a line each for wake, service and response."""
    yield f"#[{comment}]"
    yield "#[Histogram log format version 1.3]"
    interval = _Interval()
    started_ns: int | None = None
    for frame in frames:
        if started_ns is None:
            started_ns = frame.begin_ns
            wall_s = (frame.wall_ns - (frame.end_ns - frame.begin_ns)) / 1e9
            date = f"{datetime.fromtimestamp(wall_s, UTC):%Y-%m-%d %H:%M:%S} UTC"
            yield f"#[StartTime: {wall_s:.3f} (seconds since epoch), {date}]"
            yield '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
        interval.add(frame)
        if interval.begin_ns is not None and interval.end_ns - interval.begin_ns >= INTERVAL_NS:
            yield from interval.lines(started_ns)
            interval = _Interval()
    if started_ns is not None:
        yield from interval.lines(started_ns)


def write(job: Job, file: BinaryIO) -> None:
    """The log of a job."""
    for line in hlog_lines(job.frames(), f"wlat {__version__}: {job.recording.path.name}, nanoseconds"):
        file.write(line.encode() + b"\n")


EXPORTER = Exporter("hlog", "HdrHistogram's interval log", write)
