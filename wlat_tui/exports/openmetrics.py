"""A sample every few seconds as OpenMetrics text with timestamps, for ``promtool tsdb create-blocks-from openmetrics``.

The samples of a metric must stand together, but frames bring all at once: each metric is spooled to a file of its own (in
memory while it is small), and they are put together at the end. Source: the OpenMetrics specification, 1.0.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import IO, BinaryIO

from wlat_tui.exports.job import Exporter, Job
from wlat_tui.frame import Frame, Span, WriteClass
from wlat_tui.histogram import Histogram, bucket_of_ns
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.session import Session

IN_MEMORY_BYTES = 1 << 16
BOUNDS_NS = tuple(digit * 10**exponent for exponent in range(2, 10) for digit in (1, 2, 5))
"""Upper bounds of the histogram's buckets, 100 ns to 5 s. A bound lies within a recorded bucket: 0.1 % of it is uncertain."""
_BOUND_BUCKETS = tuple(map(bucket_of_ns, BOUNDS_NS))
FAMILIES: Mapping[str, tuple[str, str]] = {
    "wlat_recording": ("info", "Where it was recorded."),
    "wlat_write_duration_seconds": ("histogram", "Time that write() itself took, by the pages it touched."),
    "wlat_worst_write_seconds": ("gauge", "Longest write since the sample before, by what is timed."),
    "wlat_stalls": ("counter", "Writes over the stall threshold."),
    "wlat_skipped_slots": ("counter", "Writes that were not made because the writer was too far behind."),
    "wlat_failed_slots": ("counter", "Writes that could not be made."),
    "wlat_lost": ("counter", "What was dropped, by kind."),
    "wlat_node_free_bytes": ("gauge", "Free memory of a node."),
    "wlat_node_headroom_bytes": ("gauge", "Free memory of a node above its low watermark and reserves."),
    "wlat_node_watermark_bytes": ("gauge", "Watermarks of a node, sums over its zones."),
    "wlat_pressure_stalled_seconds": ("counter", "Time stalled for want of a resource (/proc/pressure)."),
    "wlat_knob": ("gauge", "Kernel settings whose value is a number."),
}


class _Metrics:
    """Samples by family and labels, each in a spool of its own."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._spools: dict[str, dict[tuple[object, ...], IO[bytes]]] = {name: {} for name in FAMILIES}

    def add(self, family: str, suffix: str, labels: Mapping[str, object], value: float, at: str) -> None:
        metric = tuple(label for name, label in labels.items() if name != "le")
        spool = self._spools[family].get(metric)
        if spool is None:
            spool = self._stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES))  # noqa: SIM115 - the stack closes it
            self._spools[family][metric] = spool
        text = ",".join(f'{name}="{_escaped(str(label))}"' for name, label in labels.items())
        spool.write(f"{family}{suffix}{{{text}}} {_number(value)} {at}\n".encode())

    def write(self, file: BinaryIO) -> None:
        for name, (kind, says) in FAMILIES.items():
            if not self._spools[name]:
                continue
            file.write(f"# TYPE {name} {kind}\n".encode())
            unit = name.rpartition("_")[2]
            if unit in ("seconds", "bytes"):
                file.write(f"# UNIT {name} {unit}\n".encode())
            file.write(f"# HELP {name} {says}\n".encode())
            for spool in self._spools[name].values():
                spool.seek(0)
                while piece := spool.read(1 << 16):
                    file.write(piece)
        file.write(b"# EOF\n")


class _Sampler:
    """Folds frames and takes a sample when it is time."""

    def __init__(self, metrics: _Metrics, every_ns: int) -> None:
        self._metrics = metrics
        self._every_ns = every_ns
        self._session = Session()
        self._durations = {kind: Histogram() for kind in WriteClass}
        self._sums_ns: Counter[WriteClass] = Counter()
        self._worst_ns: dict[Span, int] = {}
        self._error_slots = 0
        self._next_ns: int | None = None

    def take(self, frame: Frame) -> None:
        self._session.fold(frame)
        tick = frame.writer
        if tick is not None:
            for delta in tick.histograms:
                if delta.span is Span.SERVICE:
                    self._durations[delta.write_class].add(delta)
            for span, write in zip(Span, tick.worst, strict=True):
                if write is not None:
                    self._worst_ns[span] = max(span_ns(write, span), self._worst_ns.get(span, 0))
        if self._next_ns is None:
            self._next_ns = frame.begin_ns + self._every_ns
        if frame.end_ns >= self._next_ns:
            self.sample()
            self._next_ns = max(self._next_ns + self._every_ns, frame.end_ns)

    def sample(self) -> None:
        """Write down how things stand."""
        session, add = self._session, self._metrics.add
        if not session.frames:
            return
        at = f"{session.wall_ns / 1e9:.3f}"
        host = session.host
        if host is not None:
            target = host.target
            labels = {"host": host.hostname, "kernel": host.kernel, "filesystem": "" if target is None else target.filesystem}
            add("wlat_recording", "_info", labels, 1, at)
        for kind, histogram in self._durations.items():
            self._histogram(kind, histogram, at)
        for span, worst_ns in self._worst_ns.items():
            add("wlat_worst_write_seconds", "", {"span": span.name.lower()}, worst_ns / 1e9, at)
        self._worst_ns = {}
        add("wlat_stalls", "_total", {}, session.stall_count, at)
        add("wlat_skipped_slots", "_total", {}, session.skipped_slots, at)
        add("wlat_failed_slots", "_total", {}, session.error_slots, at)
        for name, count in sorted(session.losses.items()):
            add("wlat_lost", "_total", {"what": name}, count, at)
        self._memory(at)
        for line in session.pressure or ():
            labels = {"resource": line.resource, "kind": line.kind}
            add("wlat_pressure_stalled_seconds", "_total", labels, line.total_us / 1e6, at)
        for name, state in sorted(session.knobs.items()):
            if state.current is not None and state.current.isascii() and state.current.isdecimal():
                add("wlat_knob", "", {"name": name}, int(state.current), at)

    def _histogram(self, kind: WriteClass, histogram: Histogram, at: str) -> None:
        total = histogram.total
        if not total:
            return
        labels = {"class": kind.name.lower()}
        for bound_ns, count in zip(BOUNDS_NS, _below(histogram), strict=True):
            self._metrics.add("wlat_write_duration_seconds", "_bucket", {**labels, "le": _number(bound_ns / 1e9)}, count, at)
        self._metrics.add("wlat_write_duration_seconds", "_bucket", {**labels, "le": "+Inf"}, total, at)
        self._metrics.add("wlat_write_duration_seconds", "_count", labels, total, at)
        sum_ns = sum((low + high) / 2 * count for low, high, count in histogram.buckets())
        self._metrics.add("wlat_write_duration_seconds", "_sum", labels, sum_ns / 1e9, at)

    def _memory(self, at: str) -> None:
        host = self._session.host
        if host is None:
            return
        for number, state in self._session.nodes.items():
            for name, pages in (("free", state.free_pages), ("headroom", state.headroom_pages)):
                if pages is not None:
                    self._metrics.add(f"wlat_node_{name}_bytes", "", {"node": number}, pages * host.page_bytes, at)
            for mark, pages in (("min", state.min_pages), ("low", state.low_pages), ("high", state.high_pages)):
                if pages is not None:
                    labels = {"node": number, "watermark": mark}
                    self._metrics.add("wlat_node_watermark_bytes", "", labels, pages * host.page_bytes, at)


def _below(histogram: Histogram) -> Iterator[int]:
    """Writes up to each bound."""
    counts = sorted((bucket_of_ns(low), count) for low, _, count in histogram.buckets())
    below = at = 0
    for bucket in _BOUND_BUCKETS:
        while at < len(counts) and counts[at][0] <= bucket:
            below += counts[at][1]
            at += 1
        yield below


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.9g}"


def _escaped(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write(job: Job, file: BinaryIO) -> None:
    """The whole exposition; a sample per ``every_ns``, and one at the end."""
    with ExitStack() as stack:
        metrics = _Metrics(stack)
        sampler = _Sampler(metrics, job.every_ns)
        for frame in job.frames():
            sampler.take(frame)
        sampler.sample()
        metrics.write(file)


EXPORTER = Exporter("openmetrics", "samples with timestamps, for Prometheus", write)
