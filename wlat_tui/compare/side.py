"""One side of a comparison: its frames, folded into blocks of time that can be drawn again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from struct import iter_unpack

from wlat_tui.evidence import Tracer
from wlat_tui.frame import UNRECORDED_LATE_WAKES, Frame, Host, Settings, Span, Write, WriteClass, WriterTick
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.session import Session

FINEST_NS = 1_000_000_000
MOST_BLOCKS = 256
"""More are put together in pairs: a day takes no more memory than ten minutes."""


@dataclass(slots=True)
class Block:
    """A stretch of time without a hole: service (or response) times by class, and stalls."""

    part: int
    length_ns: int = 0
    counts: dict[WriteClass, Counter[int]] = field(default_factory=dict)
    """Bucket of `wlat_tui.native` -> writes."""
    stalls: int = 0

    def add(self, other: Block) -> None:
        """Put another one's writes to these."""
        self.length_ns += other.length_ns
        self.stalls += other.stalls
        for kind, counts in other.counts.items():
            self.counts.setdefault(kind, Counter()).update(counts)


class Side:
    """What one side did. Bounded memory, however long it is.

    Args:
        name: for people.
        span: which part of a write is compared.
    """

    def __init__(self, name: str, span: Span = Span.SERVICE) -> None:
        self.name = name
        self.span = span
        self.host: Host | None = None
        self.settings: list[Settings] = []
        """All that were asked for, oldest first."""
        self.knobs: dict[str, list[str | None]] = {}
        """Kernel setting -> every value it had, oldest first."""
        self.tracer: Tracer | None = None
        self.worst: Write | None = None
        self.stalls = 0
        """Of service time those in write() itself, of response time all."""
        self.late_wakes = 0
        """What else was told as stalls, of service time: the writer was woken late, write() itself was quick."""
        self.causes: Counter[str] = Counter()
        """Cause (`wlat_tui.causes`) -> ``stalls`` named after it."""
        self.losses: Counter[str] = Counter()
        self.parts = 1
        self.gap_ns = 0
        self.error_slots = 0
        self._unit_ns = FINEST_NS
        self._done: list[Block] = []
        self._open = Block(0)
        self._last_end_ns: int | None = None
        self._session = Session()

    def part(self) -> None:
        """What is taken next does not follow what was taken before."""
        self.end()
        if self._done or self._last_end_ns is not None:
            self.parts += 1
        self._last_end_ns = None

    def end(self) -> None:
        """Nothing more comes."""
        self._close()
        self._session = Session()

    def take_all(self, frames: Iterable[Frame]) -> Side:
        """Take all there are, and `end`; returns itself."""
        for frame in frames:
            self.take(frame)
        self.end()
        return self

    def take(self, frame: Frame) -> None:
        """Count one frame in. Frames of one part come in time order; the first brings every section (`Recording.known_at`)."""
        explained = self._session.explained
        before = explained[-1] if explained else None
        self._session.fold(frame)
        for stall in takewhile(lambda stall: stall is not before, reversed(explained)):
            if not self._late(stall.write):
                self.causes[stall.cause.name] += 1
        self.host = frame.host or self.host
        self.tracer = frame.tracer or self.tracer
        if frame.settings is not None and frame.settings not in self.settings:
            self.settings.append(frame.settings)
        for name, state in (frame.knobs or {}).items():
            if state.current not in (seen := self.knobs.setdefault(name, [])):
                seen.append(state.current)
        self.losses.update(frame.losses)
        tick = frame.writer
        if tick is None:
            self._close()
            return
        if (self._last_end_ns is not None and tick.begin_ns > self._last_end_ns + FINEST_NS) or tick.gap_ns:
            self._close()
        self._last_end_ns = tick.end_ns
        self._count(tick, frame.losses.get(UNRECORDED_LATE_WAKES, 0) if self.span is Span.SERVICE else 0)
        if self._open.length_ns >= self._unit_ns:
            self._close()

    def _late(self, write: Write) -> bool:
        return self.span is Span.SERVICE and write.service_ns <= self._session.settings.threshold_ns

    def _count(self, tick: WriterTick, unrecorded_late: int) -> None:
        block = self._open
        block.part = self.parts - 1
        block.length_ns += tick.end_ns - tick.begin_ns - tick.gap_ns
        late = min(tick.stall_count, sum(map(self._late, tick.stalls)) + unrecorded_late)
        block.stalls += tick.stall_count - late
        self.stalls += tick.stall_count - late
        self.late_wakes += late
        self.gap_ns += tick.gap_ns
        self.error_slots += tick.error_slots
        for delta in tick.histograms:
            if delta.span is self.span:
                counts = block.counts.setdefault(delta.write_class, Counter())
                for index, count in iter_unpack("=II", delta.buckets):
                    counts[index] += count
        worst = tick.worst[self.span]
        if worst is not None and (self.worst is None or span_ns(worst, self.span) > span_ns(self.worst, self.span)):
            self.worst = worst

    def _close(self) -> None:
        if self._open.length_ns > 0:
            self._done.append(self._open)
            if len(self._done) > MOST_BLOCKS:
                self._unit_ns *= 2
                self._done = grouped(self._done, self._unit_ns)
        self._open = Block(self.parts - 1)

    @property
    def blocks(self) -> list[Block]:
        """Oldest first. Those at the end of a part are shorter than the others."""
        return [*self._done, *([self._open] if self._open.length_ns > 0 else [])]

    @property
    def length_ns(self) -> int:
        """Time in which the writer wrote."""
        return sum(block.length_ns for block in self.blocks)

    @property
    def worst_ns(self) -> int | None:
        """None: nothing was written."""
        return None if self.worst is None else span_ns(self.worst, self.span)


def grouped(blocks: list[Block], length_ns: int) -> list[Block]:
    """Neighbours of one part put together until each is about this long; a rest under half of it joins the one before."""
    out: list[Block] = []
    full = True
    for block in blocks:
        if full or out[-1].part != block.part:
            out.append(Block(block.part))
        out[-1].add(block)
        full = out[-1].length_ns >= length_ns
    merged: list[Block] = []
    for block in out:
        if merged and merged[-1].part == block.part and block.length_ns < length_ns // 2:
            merged[-1].add(block)
        else:
            merged.append(block)
    return merged


def total(blocks: Iterable[Block], classes: Iterable[WriteClass]) -> Mapping[int, int]:
    """Bucket -> writes of these classes in all blocks."""
    counts: Counter[int] = Counter()
    for block in blocks:
        for kind in classes:
            counts.update(block.counts.get(kind, {}))
    return counts
