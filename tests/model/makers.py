"""Small hand-made frames for tests of the model."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from wlat_tui.frame import (
    Frame,
    HistogramDelta,
    Mark,
    NodeSample,
    Precursor,
    Prewarm,
    Span,
    Write,
    WriteClass,
    WriterTick,
    Zone,
)
from wlat_tui.histogram import bucket_of_ns

SECOND = 1_000_000_000
TICK = 200_000_000
START = 50 * SECOND


def a_write(begin_ns: int, service_ns: int, write_class: WriteClass = WriteClass.IN_PAGE, wake_ns: int = 1_000) -> Write:
    return Write(begin_ns - wake_ns, begin_ns, begin_ns + service_ns, 0, 0, write_class, 0, 0)


def a_tick(
    seq: int, begin_ns: int, end_ns: int, writes: Sequence[Write] = (), method: Prewarm = Prewarm.OFF, **more: Any
) -> WriterTick:
    """A report of exactly these writes."""
    counts: dict[tuple[Span, WriteClass], Counter[int]] = {}
    for write in writes:
        for span, ns in zip(Span, (write.wake_ns, write.service_ns, write.response_ns), strict=True):
            counts.setdefault((span, write.write_class), Counter())[bucket_of_ns(ns)] += 1
    by_class = Counter(write.write_class for write in writes)
    fields: dict[str, Any] = {
        "seq": seq,
        "begin_ns": begin_ns,
        "end_ns": end_ns,
        "wall_ns": end_ns,
        "settings_seq": 1,
        "writes": tuple(by_class[c] for c in WriteClass),
        "worst": tuple(
            max(writes, key=key, default=None) for key in (lambda w: w.wake_ns, lambda w: w.service_ns, lambda w: w.response_ns)
        ),
        "histograms": tuple(
            HistogramDelta(span, write_class, b"".join(struct.pack("=II", *pair) for pair in sorted(buckets.items())))
            for (span, write_class), buckets in counts.items()
        ),
        "precursor": Precursor(method, 0, None, None, 0, None, None, 0),
        "stalls": (),
        "inflight": None,
        "refused": {},
    }
    numbers = set(WriterTick.__dataclass_fields__) - set(fields)
    return WriterTick(**dict.fromkeys(numbers, 0) | fields | more)


def a_frame(i: int, writes: Sequence[Write] | None = (), tick_ns: int = TICK, **more: Any) -> Frame:
    """Frame number *i* of a run without holes; ``writes=None``: no writer report."""
    begin_ns, end_ns = START + i * tick_ns, START + (i + 1) * tick_ns
    tick = None if writes is None else a_tick(i + 1, begin_ns, end_ns, writes)
    fields: dict[str, Any] = {"begin_ns": begin_ns, "end_ns": end_ns, "wall_ns": end_ns, "writer": tick}
    return Frame(**fields | more)


def at(i: int, tick_ns: int = TICK) -> int:
    """A moment inside frame *i*."""
    return START + i * tick_ns + 10_000


def a_zone(name: str = "Normal", free: int = 50_000, marks: tuple[int, int, int] = (1_000, 2_000, 3_000), **more: Any) -> Zone:
    fields: dict[str, Any] = {
        "node": 0,
        "name": name,
        "free": free,
        "min": marks[0],
        "low": marks[1],
        "high": marks[2],
        "managed": 1_000_000,
        "present": 1_000_000,
        "spanned": 1_000_000,
        "boost": 0,
        "promo": None,
        "protection": (0, 0, 0, 0),
        "start_pfn": 0,
    }
    return Zone(**fields | more)


def a_sample(free: int, node: int = 0, kswapd: Any = None, **rows: int) -> NodeSample:
    all_rows: Mapping[str, int] = {"nr_free_pages": free, **rows}
    return NodeSample(node, all_rows, kswapd)


def a_mark(at_ns: int, kind: str = "applied", name: str = "zone_reclaim_mode") -> Mark:
    return Mark(at_ns, kind, name, "0", "1", f"{name} 0 -> 1")
