"""The native core in Python's terms: settings in, ticks out; histograms are in `wlat_tui.histogram`.

Besides these two only `wlat_tui.engine` and `wlat_tui.watch.native` import the extension: small processes of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wlat_tui._native import ffi as _ffi
from wlat_tui._native import lib as _lib
from wlat_tui.evidence import TraceLevel
from wlat_tui.frame import HistogramDelta, Precursor, Prewarm, Settings, Span, Write, WriteClass, WriterTick
from wlat_tui.histogram import BUCKET_BYTES, BUCKETS, Histogram, check

_TICK_BYTES: int = _ffi.sizeof("struct wl_tick")
_WRITE_BYTES: int = _ffi.sizeof("struct wl_write")
_HEAD_BYTES: int = _ffi.sizeof("struct wl_histogram_head")
_TRACE_BYTES: int = _ffi.sizeof("struct wl_trace")
_TRACER_BYTES: int = _ffi.sizeof("struct wl_tracer_head")
_PROBE_BYTES: int = _ffi.sizeof("struct wl_probe")
_LARGEST_TICK_BYTES = (
    _TICK_BYTES
    + 2 * _lib.WL_STALL_RING * _WRITE_BYTES
    + 9 * (_HEAD_BYTES + BUCKETS * BUCKET_BYTES)
    + _lib.WL_TRACE_BYTES
    + _lib.WL_TRACER_BYTES
)
_REQUESTS = ("cpus", "policy", "fifo", "dma_latency", "mlock", "timerslack", "prewarm")


@dataclass(frozen=True, slots=True)
class RawTrace:
    """Perf records of one stall, not looked at yet (``struct wl_trace``)."""

    planned_ns: int
    from_ns: int
    to_ns: int
    lost: int
    records: bytes
    omitted: int = 0
    """Switches of other threads that were left out for want of room."""


@dataclass(frozen=True, slots=True)
class RawProbe:
    """One tracepoint looked for (``struct wl_probe``): its place in the tuple is the number that its records carry."""

    name: str
    error: int
    """0: armed; else the errno that says why not."""
    deep: bool
    chain: bool
    """Its samples carry a call chain."""
    format: str


@dataclass(frozen=True, slots=True)
class RawTracer:
    """How the engine traces its writer (``struct wl_tracer_head``)."""

    level: TraceLevel
    traced: bool
    deep: bool
    whole_cpus: bool
    cpus: int
    cpus_blind: int
    error: int
    probes: tuple[RawProbe, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One whole message of the engine."""

    tick: WriterTick
    traces: tuple[RawTrace, ...] = ()
    traces_lost: int = 0
    """Stalls whose records did not fit into the message."""
    tracer: RawTracer | None = None
    """Set in the first report and when it has changed."""


def _set_bits(words: Any, numbers: Sequence[int], name: str, limit: int) -> None:
    for number in numbers:
        if not 0 <= number < limit:
            raise ValueError(f"{name} {number} is out of range: 0 to {limit - 1}")
        words[number // 64] |= 1 << (number % 64)


def _trace_mode(settings: Settings) -> int:
    if not settings.trace:
        return int(_lib.WL_TRACE_OFF)
    if settings.deep_trace:
        return int(_lib.WL_TRACE_DEEP)
    return int(_lib.WL_TRACE_ON if settings.trace_chains else _lib.WL_TRACE_PLAIN)


def _settings_struct(settings: Settings, seq: int) -> Any:
    packed = _ffi.new("struct wl_settings *")
    packed.magic = _lib.WL_SETTINGS_MAGIC
    packed.bytes = _ffi.sizeof("struct wl_settings")
    packed.seq = seq
    for name in (
        *("interval_ns", "threshold_ns", "tick_ns", "segment_bytes", "disk_limit_bytes", "prewarm_bytes", "write_bytes"),
        *("mode", "prewarm", "policy", "fifo_priority", "dma_latency_us"),
    ):
        try:
            setattr(packed, name, getattr(settings, name))
        except OverflowError:
            raise ValueError(f"{name} {getattr(settings, name)} is out of range") from None
    packed.trace = _trace_mode(settings)
    _set_bits(packed.cpus, settings.cpus, "CPU", 64 * _lib.WL_CPU_WORDS)
    _set_bits(packed.policy_nodes, settings.policy_nodes, "node", 64 * _lib.WL_NODE_WORDS)
    return packed


def pack_settings(settings: Settings, seq: int) -> bytes:
    """The message the engine takes on stdin (``struct wl_settings``).

    Raises:
        ValueError: a number does not fit its field. Ranges are `refuse_settings`'s business.
    """
    return bytes(_ffi.buffer(_settings_struct(settings, seq)))


def refuse_settings(settings: Settings) -> str | None:
    """Why the engine would not take these settings (one sentence), or None when it would."""
    try:
        why = _lib.wl_settings_refuse(_settings_struct(settings, 0))
    except ValueError as error:
        return str(error)
    return None if why == _ffi.NULL else _ffi.string(why).decode()


def _write(raw: Any) -> Write | None:
    if raw.begin_ns == 0:
        return None
    return Write(
        raw.planned_ns,
        raw.begin_ns,
        raw.end_ns,
        raw.offset,
        raw.segment,
        WriteClass(getattr(raw, "class")),
        raw.cpu,
        raw.backlog,
    )


def _precursor(raw: Any) -> Precursor:
    known = raw.resident_of_pages > 0
    return Precursor(
        method=Prewarm(raw.prewarm),
        late=raw.precursor_late,
        cpu=raw.precursor_cpu if raw.precursor_cpu >= 0 else None,
        node=raw.precursor_node if raw.precursor_node >= 0 else None,
        ahead_pages=raw.prepared_ahead_pages,
        resident_pages=raw.resident_pages if known else None,
        resident_of_pages=raw.resident_of_pages if known else None,
        busy_ns=raw.precursor_busy_ns,
        placed_pages=raw.placed_pages or None,
        astray_pages=raw.astray_pages if raw.placed_pages else None,
    )


def _stalls(message: bytes, count: int) -> tuple[Write, ...]:
    if _TICK_BYTES + count * _WRITE_BYTES > len(message):
        raise ValueError("the engine's report is shorter than the stalls it announces")
    if not count:
        return ()
    array = _ffi.from_buffer("struct wl_write[]", memoryview(message)[_TICK_BYTES : _TICK_BYTES + count * _WRITE_BYTES])
    return tuple(write for raw in array if (write := _write(raw)) is not None)


def _histograms(message: bytes, at: int, count: int) -> tuple[tuple[HistogramDelta, ...], int]:
    """They and where they end."""
    found = []
    for _ in range(count):
        if at + _HEAD_BYTES > len(message):
            raise ValueError("the engine's report is shorter than the histograms it announces")
        head = _ffi.from_buffer("struct wl_histogram_head *", memoryview(message)[at : at + _HEAD_BYTES])
        end = at + _HEAD_BYTES + head.n * BUCKET_BYTES
        if end > len(message):
            raise ValueError("the engine's report is shorter than a histogram it holds")
        found.append(HistogramDelta(Span(head.span), WriteClass(getattr(head, "class")), message[at + _HEAD_BYTES : end]))
        at = end
    return tuple(found), at


def _traces(message: bytes, at: int, count: int) -> tuple[tuple[RawTrace, ...], int]:
    """They and where they end."""
    found = []
    for _ in range(count):
        if at + _TRACE_BYTES > len(message):
            raise ValueError("the engine's report is shorter than the traces it announces")
        head = _ffi.from_buffer("struct wl_trace *", memoryview(message)[at : at + _TRACE_BYTES])
        end = at + _TRACE_BYTES + head.bytes
        if end > len(message):
            raise ValueError("the engine's report is shorter than a trace it holds")
        records = message[at + _TRACE_BYTES : end]
        found.append(RawTrace(head.planned_ns, head.from_ns, head.to_ns, head.lost, records, head.omitted))
        at = end
    return tuple(found), at


def parse_tracer(message: bytes) -> RawTracer:
    """A description of the tracer (``struct wl_tracer_head``, its probes, their formats).

    Raises:
        ValueError: it is not one.
    """
    if len(message) < _TRACER_BYTES:
        raise ValueError("the engine's description of its tracer is too short")
    head = _ffi.from_buffer("struct wl_tracer_head *", memoryview(message)[:_TRACER_BYTES])
    at = _TRACER_BYTES + head.n_probes * _PROBE_BYTES
    if at > len(message) or head.level > max(TraceLevel):
        raise ValueError("the engine's description of its tracer makes no sense")
    probes = []
    if head.n_probes:
        for raw in _ffi.from_buffer("struct wl_probe[]", memoryview(message)[_TRACER_BYTES:at]):
            name = _ffi.string(raw.name, len(raw.name)).decode("utf-8", "replace")
            text = message[at : at + raw.format_bytes].decode("utf-8", "replace")
            at += raw.format_bytes
            probes.append(RawProbe(name, raw.error, bool(raw.deep), bool(raw.chain), text))
    if at != len(message):
        raise ValueError("the engine's description of its tracer does not end where it says")
    return RawTracer(
        level=TraceLevel(head.level),
        traced=head.mode != _lib.WL_TRACE_OFF,
        deep=head.mode == _lib.WL_TRACE_DEEP,
        whole_cpus=bool(head.whole_cpus),
        cpus=head.cpus,
        cpus_blind=head.cpus_blind,
        error=head.error,
        probes=tuple(probes),
    )


def parse_report(message: bytes) -> Report:
    """One whole message of the engine: ``struct wl_tick`` and everything that follows it.

    Raises:
        ValueError: it is not one (one sentence says what is wrong).
    """
    tick, end = _tick(message)
    raw = _ffi.from_buffer("struct wl_tick *", memoryview(message)[:_TICK_BYTES])
    traces, end = _traces(message, end, raw.n_traces)
    if end + raw.tracer_bytes != len(message):
        raise ValueError("the engine's report is longer or shorter than what it announces")
    return Report(tick, traces, raw.traces_lost, parse_tracer(message[end:]) if raw.tracer_bytes else None)


def _tick(message: bytes) -> tuple[WriterTick, int]:
    """The writer's report (``struct wl_tick`` with its stalls and histograms), and where it ends.

    Raises:
        ValueError: it is not one (one sentence says what is wrong).
    """
    if len(message) < _TICK_BYTES:
        raise ValueError(f"the engine's report is {len(message)} bytes long, not even its head of {_TICK_BYTES}")
    raw = _ffi.from_buffer("struct wl_tick *", memoryview(message)[:_TICK_BYTES])
    if raw.magic != _lib.WL_TICK_MAGIC or raw.bytes != len(message):
        raise ValueError("the engine's report does not begin as this version's reports do")
    worst = tuple(_write(raw.worst[span]) for span in Span)
    histograms, end = _histograms(message, _TICK_BYTES + raw.n_stalls * _WRITE_BYTES, raw.n_histograms)
    tick = WriterTick(
        seq=raw.seq,
        begin_ns=raw.begin_ns,
        end_ns=raw.end_ns,
        wall_ns=raw.wall_ns,
        settings_seq=raw.settings_seq,
        writes=(raw.writes[0], raw.writes[1], raw.writes[2]),
        written_bytes=raw.written_bytes,
        skipped_slots=raw.skipped_slots,
        error_slots=raw.error_slots,
        gap_slots=raw.gap_slots,
        gap_ns=raw.gap_ns,
        stall_count=raw.stalls,
        stalls_lost=raw.stalls_lost,
        stalls=_stalls(message, raw.n_stalls),
        worst=(worst[0], worst[1], worst[2]),
        inflight=_write(raw.inflight),
        tid=raw.writer_tid,
        cpu=raw.writer_cpu,
        node=raw.writer_node,
        sched_policy=raw.sched_policy,
        sched_priority=raw.sched_priority,
        trouble=raw.trouble,
        error=raw.error,
        trouble_since_ns=raw.trouble_since_ns,
        refused={name: raw.refused[i] for i, name in enumerate(_REQUESTS) if raw.refused[i]},
        writer_cpu_ns=raw.writer_cpu_ns,
        engine_cpu_ns=raw.engine_cpu_ns,
        clock_ns=raw.clock_ns,
        segment=raw.segment,
        segments_held=raw.segments_held,
        segment_offset=raw.segment_offset,
        segment_size=raw.segment_size,
        disk_bytes=raw.disk_bytes,
        page_bytes=raw.page_bytes,
        precursor=_precursor(raw),
        histograms=histograms,
    )
    return tick, end


class ReportReader:
    """Cuts the engine's byte stream into reports, whatever the pieces it arrives in."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Report]:
        """Take the next bytes of the stream; returns the reports they complete.

        Raises:
            ValueError: the stream is not one of reports (one sentence). It cannot be read any further then.
        """
        self._pending += data
        reports = []
        while len(self._pending) >= 8:
            magic, size = struct.unpack_from("=II", self._pending)
            if magic != _lib.WL_TICK_MAGIC:
                raise ValueError("what came from the engine is not a report of this version of wlat")
            if not _TICK_BYTES <= size <= _LARGEST_TICK_BYTES:
                raise ValueError(f"the engine announced a report of {size} bytes, which no report can have")
            if len(self._pending) < size:
                break
            reports.append(parse_report(bytes(self._pending[:size])))
            del self._pending[:size]
        return reports


def try_tracer() -> RawTracer:
    """What can be traced here by this process; tried on the calling thread, nothing stays open.

    Raises:
        OSError: no memory for it.
    """
    packed, size = _ffi.new("unsigned char[]", _lib.WL_TRACER_BYTES), _ffi.new("uint32_t *")
    check(_lib.wl_trace_try(packed, size), "trying the tracer")
    return parse_tracer(bytes(_ffi.buffer(packed, size[0])))


def bare_run(dir_fd: int, settings: Settings, duration_ns: int) -> tuple[Histogram, Histogram]:
    """The bare loop the writer is compared with; returns its service and wake histograms. Blocks for the duration.

    Raises:
        ValueError: settings out of range.
        OSError: a file could not be opened or written.
    """
    if why := refuse_settings(settings):
        raise ValueError(why)
    service, wake = Histogram(), Histogram()
    packed = _settings_struct(settings, 0)
    check(_lib.wl_bare_run(dir_fd, packed, duration_ns, service._counts, wake._counts), "running the bare loop")
    return service, wake
