"""Blocks added up, so that a jump into a recording knows the whole time before it without reading it.

A digest is one `wlat_tui.model.past.Digest` as `shapes.py` writes records, packed by zlib. Its histograms are coarse throughout
(`compact.py`, every bucket in its group): within 1.6 % or what the frames are, and a few hundred bytes.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace

from wlat_tui.frame import Frame, HistogramDelta, Span, Write, WriteClass
from wlat_tui.model.past import CauseSum, Digest
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.series import Gap
from wlat_tui.model.session import Session
from wlat_tui.sessions.columns import Cursor, Damaged
from wlat_tui.sessions.compact import GROUP, compact_buckets
from wlat_tui.sessions.rows import storable
from wlat_tui.sessions.shapes import Record

MOST_SUSPECTS = 12
TOTAL_EVERY = 8
"""Blocks from one total to the next."""
MOST_BYTES = 1 << 22
"""No digest unpacks to more."""
_RECORD = Record(Digest)
_ADDED = frozenset(field.name for field in fields(Digest)) - {"causes", "suspects", "passed_over"}
_Key = tuple[Span, WriteClass]


class Sum:
    """Digests added up, in order of time."""

    def __init__(self) -> None:
        self._digest = Digest()
        self._losses: Counter[str] = Counter()
        self._buckets: dict[_Key, bytearray] = {}
        """Packed ``struct wl_bucket`` in any order; added up when it is read."""

    def add(self, digest: Digest) -> None:
        total = self._digest
        first = total.frames == 0
        self._losses.update(digest.losses)
        for delta in digest.histograms:
            self.count(delta)
        writes = [a + b for a, b in zip(total.writes, digest.writes, strict=True)]
        self._digest = Digest(
            frames=total.frames + digest.frames,
            begin_ns=digest.begin_ns if first else total.begin_ns,
            end_ns=digest.end_ns,
            writes=(writes[0], writes[1], writes[2]),
            skipped_slots=total.skipped_slots + digest.skipped_slots,
            error_slots=total.error_slots + digest.error_slots,
            stall_count=total.stall_count + digest.stall_count,
            worst=worse(total.worst, digest.worst),
            late_wakes=total.late_wakes + digest.late_wakes,
            causes=digest.causes,
            suspects=digest.suspects,
            passed_over=digest.passed_over,
            last_seq=total.last_seq if digest.last_seq is None else digest.last_seq,
        )

    def count(self, delta: HistogramDelta) -> None:
        """Add a histogram, coarsely."""
        self._buckets.setdefault((delta.span, delta.write_class), bytearray()).extend(delta.buckets)

    def read(self) -> Digest:
        histograms = []
        for key, buckets in sorted(self._buckets.items()):
            packed = compact_buckets(bytes(buckets), GROUP, tail=False)
            self._buckets[key] = bytearray(packed)
            histograms.append(HistogramDelta(*key, packed))
        return replace(self._digest, losses=dict(self._losses), histograms=tuple(histograms))


_Worst = tuple[Write | None, Write | None, Write | None]


def worse(a: _Worst, b: _Worst) -> _Worst:
    """The longer write of each span; the earlier one of equals."""
    out: list[Write | None] = []
    for span in Span:
        one, other = a[span], b[span]
        longer = other is not None and (one is None or span_ns(other, span) > span_ns(one, span))
        out.append(other if longer else one)
    return out[0], out[1], out[2]


def pack_digest(digest: Digest) -> bytes:
    return zlib.compress(_RECORD.pack([digest]))


def unpack_digest(data: bytes, *, whole: bool = True) -> Digest:
    """Raises Damaged. Not *whole*: without what counts since the start, for sums that go on with a later one."""
    try:
        raw = zlib.decompressobj().decompress(data, MOST_BYTES)
        return _RECORD.unpack(Cursor(raw), 1, None if whole else _ADDED)[0]  # type: ignore[no-any-return]
    except (zlib.error, LookupError, TypeError, OverflowError) as error:
        raise Damaged(f"a digest cannot be read: {error}") from error


@dataclass(slots=True)
class BlockDigest:
    """One block added up, with what its rows in the tables say."""

    digest: Digest
    most: list[int | None]
    """By span: the largest worst ns << 2 | class."""
    least: list[int | None]
    nodes: dict[int, tuple[int | None, int | None]]
    """Node -> smallest free and headroom pages."""
    gaps: list[Gap]


def digest_rows(first: int, block: BlockDigest, total: Digest | None) -> Iterator[tuple[str, tuple[object, ...]]]:
    """(table, row) for a finished block."""
    digest = block.digest
    packed = pack_digest(digest), None if total is None else pack_digest(total)
    row: tuple[object, ...] = (first, digest.frames, digest.begin_ns, digest.end_ns, *block.most, *block.least, *packed)
    yield "digest", tuple(map(storable, row))
    for node, pages in block.nodes.items():
        yield "digest_node", (first, *map(storable, (node, *pages)))
    for gap in block.gaps:
        yield "digest_gap", (first, gap.begin_ns, gap.end_ns, storable(gap.reason), int(gap.writer_only))


class Digester:
    """Folds the frames of a recording, each once, and adds them up block by block."""

    def __init__(self) -> None:
        self._session = Session(over_time=False)
        self._folded = 0
        self._total = Sum()
        self._clear()

    def _clear(self) -> None:
        self._sum = Sum()
        self._most: list[int | None] = [None] * len(Span)
        self._least: list[int | None] = [None] * len(Span)
        self._nodes: dict[int, tuple[int | None, int | None]] = {}
        self._since_ns = self._session.now_ns

    def add(self, first: int, frames: Iterable[Frame]) -> BlockDigest:
        """Add frames to the block that is open; those that were added before are passed over."""
        for number, frame in enumerate(frames, first):
            if number >= self._folded:
                self._fold(frame)
                self._folded = number + 1
        gaps = [
            replace(gap, begin_ns=max(gap.begin_ns, self._since_ns))
            for gap in self._session.gaps
            if gap.end_ns > self._since_ns
        ]
        digest = replace(self._sum.read(), suspects=tuple(self._session.suspects.ranked()[:MOST_SUSPECTS]))
        return BlockDigest(digest, self._most, self._least, self._nodes, gaps)

    def total(self) -> Digest:
        """Everything up to here, the open block included."""
        total = Sum()
        total.add(self._total.read())
        total.add(replace(self._sum.read(), suspects=tuple(self._session.suspects.ranked()[:MOST_SUSPECTS])))
        return total.read()

    def finish(self) -> None:
        """The open block is over (and safely in the file)."""
        self._total.add(self._sum.read())
        self._clear()

    def _fold(self, frame: Frame) -> None:
        session, tick = self._session, frame.writer
        before, late_before = Counter(session.losses), session.late_wakes
        session.fold(frame)
        if tick is None:
            digest = Digest(1, frame.begin_ns, frame.end_ns)
        else:
            digest = Digest(
                *(1, frame.begin_ns, frame.end_ns, tick.writes, tick.skipped_slots, tick.error_slots, tick.stall_count),
                worst=tick.worst,
                histograms=tick.histograms,
                last_seq=tick.seq,
            )
            for span in Span:
                if (write := tick.worst[span]) is not None:
                    ns = span_ns(write, span)
                    self._most[span] = max(self._most[span] or 0, ns << 2 | write.write_class)
                    self._least[span] = _least(self._least[span], ns)
        self._sum.add(
            replace(
                digest,
                losses=session.losses - before,
                late_wakes=session.late_wakes - late_before,
                causes=tuple(
                    CauseSum(top.cause.name, top.count, top.total_ns, top.worst_ns, top.worst, top.last_ns, top.explained_ns)
                    for top in session.top_causes
                ),
                passed_over=session.stalls_passed_over,
            )
        )
        for sample in frame.nodes or ():
            state = session.nodes[sample.node]
            free, headroom = self._nodes.get(sample.node, (None, None))
            self._nodes[sample.node] = _least(free, state.free_pages), _least(headroom, state.headroom_pages)


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)
