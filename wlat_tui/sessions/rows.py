"""The rows of one frame for the tables that people query."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from enum import IntEnum

from wlat_tui.evidence import Disturbance
from wlat_tui.frame import Frame, KnobState, NodeSample, Settings, Span, Write, WriterTick
from wlat_tui.histogram import Histogram
from wlat_tui.model.percentiles import quantiles
from wlat_tui.model.suspects import COUNTED

Row = tuple[object, ...]
_LARGEST = 2**63 - 1


def rows_of(number: int, frame: Frame, knobs: Mapping[str, KnobState]) -> Iterator[tuple[str, Row]]:
    """(table, row) for everything in a frame.

    Args:
        number: of the frame.
        frame: what was observed.
        knobs: as they stood before, to write only those that changed.
    """
    for table, row in _raw_rows(number, frame, knobs):
        yield table, tuple(storable(value) for value in row)


def _raw_rows(number: int, frame: Frame, knobs: Mapping[str, KnobState]) -> Iterator[tuple[str, Row]]:
    times = (frame.begin_ns, frame.end_ns, frame.wall_ns)
    tick = frame.writer
    yield "frame", (number, *times, *_tick(tick), frame.writer_missing, *_classes(tick), *_percentiles(tick))
    for sample in frame.nodes or ():
        yield "node", (number, *_node(sample))
    for zone in frame.zones or ():
        pages = (zone.free, zone.min, zone.low, zone.high, zone.managed, zone.boost)
        yield "zone", (number, zone.node, zone.name, *pages, json.dumps(zone.protection))
    for name, state in (frame.knobs or {}).items():
        if knobs.get(name) != state:
            yield "knob", (number, name, state.current, state.original, state.unavailable)
    if frame.settings is not None:
        for name, value in _settings(frame.settings):
            yield "setting", (number, name, value)
    for write in frame.writer.stalls if frame.writer else ():
        yield "stall", (number, *_stall(write))
    for disturbance in frame.disturbances:
        yield "suspect", (number, *_suspect(disturbance))
    for mark in frame.marks:
        yield "mark", (number, mark.at_ns, mark.kind, mark.name, mark.before, mark.after, mark.text)
    for text in frame.notices:
        yield "notice", (number, text)
    for name, count in frame.losses.items():
        yield "loss", (number, name, count)
    if frame.host is not None:
        yield "host", (number, json.dumps(asdict(frame.host)))


def _tick(tick: WriterTick | None) -> Row:
    if tick is None:
        return (None,) * 10
    worst = (tick.worst[Span.WAKE], tick.worst[Span.SERVICE], tick.worst[Span.RESPONSE])
    return (
        None if worst[0] is None else worst[0].wake_ns,
        None if worst[1] is None else worst[1].service_ns,
        None if worst[2] is None else worst[2].response_ns,
        *tick.writes,
        tick.skipped_slots,
        tick.error_slots,
        tick.gap_ns,
        tick.stall_count,
    )


def _classes(tick: WriterTick | None) -> Row:
    worst = tick.worst if tick is not None else (None,) * len(Span)
    return tuple(None if write is None else int(write.write_class) for write in worst)


def _percentiles(tick: WriterTick | None) -> Row:
    """Of service over all classes: the median, p99, p99.9; NULL where these few writes cannot tell."""
    histogram = Histogram()
    try:
        for delta in tick.histograms if tick is not None else ():
            if delta.span is Span.SERVICE:
                histogram.add(delta)
    except (OSError, ValueError):  # not the engine's: the row goes without, the block keeps what came
        return None, None, None
    worst = None if tick is None else tick.worst[Span.SERVICE]
    known = quantiles(histogram, None if worst is None else worst.service_ns)
    return (None, None, None) if known is None else (known.p50_ns, known.p99_ns, known.p999_ns)


def _suspect(seen: Disturbance) -> Row:
    by = seen.by
    return (
        *(seen.begin_ns, seen.end_ns, seen.kind, seen.what),
        *(by.pid, by.comm, by.command, by.container, by.parent_pid, by.parent),
        *(seen.count, seen.spent_ns, seen.own, None if seen.kind in COUNTED else 0),
    )


def _node(sample: NodeSample) -> Row:
    rows = sample.rows
    # before 5.9 slabs were counted in pages under these names too; file and anon are LRU sums
    lru = {
        kind: [rows[name] for name in (f"nr_active_{kind}", f"nr_inactive_{kind}") if name in rows] for kind in ("file", "anon")
    }
    slab = [rows[name] for name in ("nr_slab_reclaimable", "nr_slab_unreclaimable") if name in rows]
    return (
        sample.node,
        rows.get("nr_free_pages"),
        rows.get("nr_file_pages", sum(lru["file"]) if lru["file"] else None),
        rows.get("nr_anon_pages", sum(lru["anon"]) if lru["anon"] else None),
        sum(slab) if slab else None,
        rows.get("nr_dirty"),
        rows.get("nr_writeback"),
        None if sample.kswapd is None else sample.kswapd.state,
    )


def _settings(settings: Settings) -> Iterator[tuple[str, str]]:
    for field in fields(settings):
        value = getattr(settings, field.name)
        if isinstance(value, IntEnum):
            yield field.name, value.name.lower()
        else:
            yield field.name, ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _stall(write: Write) -> Row:
    return (
        *(write.planned_ns, write.begin_ns, write.end_ns, write.wake_ns, write.service_ns, write.response_ns),
        *(write.write_class.name.lower(), write.cpu, write.backlog, write.segment, write.offset),
    )


def storable(value: object) -> object:
    """SQLite takes 64-bit signed numbers and real UTF-8 only; the blocks keep what it does not."""
    if isinstance(value, int):
        return value if -_LARGEST <= value <= _LARGEST else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return value
