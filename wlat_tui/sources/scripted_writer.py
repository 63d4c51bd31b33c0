"""The made-up writer of the scripted source: writes are played one by one, so that queueing behind a stall comes out right."""

from __future__ import annotations

import math
import struct
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from wlat_tui.frame import HistogramDelta, Policy, Precursor, Prewarm, Settings, Span, Write, WriteClass, WriterTick
from wlat_tui.histogram import bucket_of_ns

bucket_of = lru_cache(maxsize=1 << 16)(bucket_of_ns)
PAGE_BYTES = 4096
MAX_PLAYED = 1_000
"""Writes played per tick; with shorter intervals each stands for several."""
STALLS_SENT = 64
_SPANS = tuple(Span)
SWITCH_NS = 2_000_000_000
"""How long after a change of prewarming the next segment, prepared that way, is switched to."""
NO_SPACE, NO_SEGMENT, INFLIGHT_NS = 28, 1, 1_000_000
REFUSALS = ("cpus", "policy", "fifo", "dma_latency", "mlock", "timerslack", "prewarm")


@dataclass(frozen=True, slots=True)
class Weather:
    """What the host does to writes right now."""

    stall_chance: float = 0.0
    """That a page-beginning write stalls."""
    stall_ms: tuple[float, float] = (10.0, 40.0)
    bump_chance: float = 0.0
    """That it takes up to a millisecond (waiting for a lock, a short reclaim)."""
    full_disk: bool = False
    stopped_ns: int = 0
    """The engine was stopped for this long at the end of this tick."""
    stuck: bool = False
    """The next write never comes back."""
    refused: bool = False
    """Nothing that needs privilege is granted."""


@dataclass(slots=True)
class _Tally:
    """What finished in one tick."""

    writes: list[int] = field(default_factory=lambda: [0, 0, 0])
    buckets: dict[tuple[Span, WriteClass], Counter[int]] = field(default_factory=dict)
    worst: list[Write | None] = field(default_factory=lambda: [None, None, None])
    worst_ns: list[int] = field(default_factory=lambda: [-1, -1, -1])
    stalls: list[Write] = field(default_factory=list)
    stall_count: int = 0

    def add(self, write: Write, weight: int, threshold_ns: int) -> None:
        self.writes[write.write_class] += weight
        for span, ns in zip(_SPANS, (write.wake_ns, write.service_ns, write.response_ns), strict=True):
            counts = self.buckets.get((span, write.write_class))
            if counts is None:
                counts = self.buckets[span, write.write_class] = Counter()
            counts[bucket_of(ns)] += weight
            if ns > self.worst_ns[span]:
                self.worst[span], self.worst_ns[span] = write, ns
        if (write.service_ns if write.backlog else write.response_ns) > threshold_ns:
            self.stall_count += weight
            if len(self.stalls) < STALLS_SENT:
                self.stalls.append(write)

    def histograms(self) -> tuple[HistogramDelta, ...]:
        """As the engine would send them: packed ``struct wl_bucket``, ascending."""
        return tuple(
            HistogramDelta(span, write_class, b"".join(struct.pack("=II", *pair) for pair in sorted(counts.items())))
            for (span, write_class), counts in sorted(self.buckets.items())
        )


class _Durations:
    """A log-normal distribution cut off at the top, drawn from a table: the demo plays 5,000 writes a second in Python."""

    def __init__(self, random: Random, middle_ns: float, spread: float, top_ns: int) -> None:
        self._random = random
        self._table = [round(min(random.lognormvariate(math.log(middle_ns), spread), top_ns)) for _ in range(4_096)]

    def draw(self) -> int:
        return self._table[int(self._random.random() * 4_096)]


class ScriptedWriter:
    """Plays the schedule of the settings against the weather."""

    def __init__(self, seed: int, start_ns: int) -> None:
        self._random = random = Random(seed)
        self._wake = _Durations(random, 2_900, 0.35, 9_000)
        self._in_page = _Durations(random, 1_000, 0.25, 8_000)
        self._new_page = _Durations(random, 4_000, 0.3, 13_000)
        self._prepared = _Durations(random, 1_500, 0.3, 9_000)
        self._bump = _Durations(random, 100_000, 0.8, 900_000)
        self._planned_ns = start_ns
        self._free_ns = start_ns
        self._pending: tuple[Write, int] | None = None
        self._seq = 0
        self._offset = self._segment = 0
        self._method = Prewarm.OFF
        self._switch_ns: int | None = None
        self._trouble_since_ns = 0
        self._written_bytes = 0

    def tick(
        self, begin_ns: int, end_ns: int, wall_ns: int, asked: tuple[Settings, int], cpu: tuple[int, int], weather: Weather
    ) -> WriterTick:
        """Play [begin_ns, end_ns). *asked* is (settings, their number), *cpu* is (the writer's CPU, its node)."""
        settings, settings_seq = asked
        self._prepare(begin_ns, settings)
        tally, error_slots, gap_slots = _Tally(), 0, 0
        until_ns = end_ns - weather.stopped_ns
        self._written_bytes = 0
        if weather.full_disk:
            error_slots = self.skip(end_ns, settings)
        else:
            self._play(until_ns, settings, cpu[0], weather, tally)
            if weather.stopped_ns:
                gap_slots = self.skip(end_ns, settings)
        self._trouble_since_ns = (self._trouble_since_ns or begin_ns) if weather.full_disk else 0
        self._seq += 1
        inflight = self._pending[0] if self._pending is not None and not weather.full_disk else None
        if inflight is not None and end_ns - inflight.begin_ns <= INFLIGHT_NS:
            inflight = None
        unfinished = None if inflight is None else _without_end(inflight)
        size = settings.prewarm_bytes if self._method else settings.segment_bytes
        busy = 1 if self._method else 0
        return WriterTick(
            seq=self._seq,
            begin_ns=begin_ns,
            end_ns=end_ns,
            wall_ns=wall_ns,
            settings_seq=settings_seq,
            writes=(tally.writes[0], tally.writes[1], tally.writes[2]),
            written_bytes=self._written_bytes,
            skipped_slots=0,
            error_slots=error_slots,
            gap_slots=gap_slots,
            gap_ns=weather.stopped_ns,
            stall_count=tally.stall_count,
            stalls_lost=max(0, tally.stall_count - STALLS_SENT),
            stalls=tuple(tally.stalls),
            worst=(tally.worst[0], tally.worst[1], tally.worst[2]),
            inflight=unfinished,
            tid=4242,
            cpu=cpu[0],
            node=cpu[1],
            sched_policy=1 if settings.fifo_priority and not weather.refused else 0,
            sched_priority=0 if weather.refused else settings.fifo_priority,
            trouble=NO_SEGMENT if weather.full_disk else 0,
            error=NO_SPACE if weather.full_disk else 0,
            trouble_since_ns=self._trouble_since_ns,
            refused=_refused(settings, weather.refused),
            writer_cpu_ns=self._seq * 4_000_000,
            engine_cpu_ns=self._seq * 5_000_000,
            clock_ns=24,
            segment=self._segment,
            segments_held=3,
            segment_offset=self._offset,
            segment_size=size,
            disk_bytes=3 * size,
            page_bytes=PAGE_BYTES,
            precursor=Precursor(
                method=self._method,
                late=0,
                cpu=cpu[0] + 1 if busy else None,
                node=cpu[1] if busy else None,
                ahead_pages=busy * (2 * size - self._offset) // PAGE_BYTES,
                resident_pages=size // PAGE_BYTES if busy else None,
                resident_of_pages=size // PAGE_BYTES if busy else None,
                busy_ns=busy * self._seq * 300_000,
            ),
            histograms=tally.histograms(),
        )

    def _prepare(self, now_ns: int, settings: Settings) -> None:
        """Switch to a segment prepared as asked, some time after it was asked."""
        if settings.prewarm == self._method:
            self._switch_ns = None
        elif self._switch_ns is None:
            self._switch_ns = now_ns + SWITCH_NS
        elif now_ns >= self._switch_ns:
            self._method, self._switch_ns = settings.prewarm, None
            self._segment, self._offset = self._segment + 1, 0

    def _play(self, until_ns: int, settings: Settings, cpu: int, weather: Weather, tally: _Tally) -> None:
        while True:
            write, weight = self._pending or self._draw(settings, cpu, weather)
            if write.end_ns > until_ns:
                self._pending = (write, weight)
                return
            self._pending = None
            self._written_bytes += weight * settings.write_bytes
            tally.add(write, weight, settings.threshold_ns)

    def skip(self, until_ns: int, settings: Settings) -> int:
        """Let the slots up to *until_ns* pass without a write; returns how many."""
        slots = max(0, -(-(until_ns - self._planned_ns) // settings.interval_ns))
        self._planned_ns += slots * settings.interval_ns
        self._free_ns = max(self._free_ns, until_ns)
        self._pending = None
        return slots

    def _draw(self, settings: Settings, cpu: int, weather: Weather) -> tuple[Write, int]:
        """The next write on the schedule, and how many real ones it stands for."""
        weight = max(1, settings.tick_ns // settings.interval_ns // MAX_PLAYED)
        wake_ns = self._wake.draw()
        planned_ns = self._planned_ns
        begin_ns = max(planned_ns + wake_ns, self._free_ns)
        size = settings.prewarm_bytes if self._method else settings.segment_bytes
        if self._offset + settings.write_bytes * weight > size:
            self._segment, self._offset = self._segment + 1, 0
        offset = self._offset
        begins_page = offset % PAGE_BYTES == 0 or offset // PAGE_BYTES != (offset + settings.write_bytes - 1) // PAGE_BYTES
        prepared = WriteClass.PREPARED if self._method else WriteClass.NEW_PAGE
        write_class = prepared if begins_page else WriteClass.IN_PAGE
        service_ns = self._service_ns(write_class, weather)
        end_ns = begin_ns + service_ns
        queued = self._free_ns > planned_ns
        backlog = (begin_ns - planned_ns) // settings.interval_ns + 1 if queued else 0
        self._offset += settings.write_bytes * weight
        self._planned_ns += settings.interval_ns * weight
        self._free_ns = end_ns + 300
        return Write(planned_ns, begin_ns, end_ns, offset, self._segment, write_class, cpu, backlog), weight

    def _service_ns(self, write_class: WriteClass, weather: Weather) -> int:
        draw = self._random
        if weather.stuck:
            return 1 << 50
        if write_class is WriteClass.IN_PAGE:
            return self._in_page.draw()
        # allocating in advance without the buffer heads, or reading in, leaves part of the work to the writer
        share = {Prewarm.OFF: 1.0, Prewarm.FALLOCATE: 0.9, Prewarm.READ: 0.15, Prewarm.WRITE: 0.0}[self._method]
        if draw.random() < weather.stall_chance * share:
            return round(draw.uniform(*weather.stall_ms) * 1e6)
        if draw.random() < weather.bump_chance * share:
            return self._bump.draw()
        return (self._prepared if write_class is WriteClass.PREPARED else self._new_page).draw()


def _without_end(write: Write) -> Write:
    return Write(write.planned_ns, write.begin_ns, 0, write.offset, write.segment, write.write_class, write.cpu, write.backlog)


def _refused(settings: Settings, refused: bool) -> dict[str, int]:
    """errno per setting; without privilege only what the settings ask for beyond the ordinary is refused."""
    wanted = {
        "fifo": settings.fifo_priority > 0,
        "dma_latency": settings.dma_latency_us >= 0,
        "policy": settings.policy in (Policy.BIND, Policy.PREFER) and not settings.policy_nodes,
        "mlock": True,
    }
    errors = {"fifo": 1, "dma_latency": 13, "policy": 22, "mlock": 12}
    return {name: errors[name] if refused and wanted.get(name) else 0 for name in REFUSALS}
