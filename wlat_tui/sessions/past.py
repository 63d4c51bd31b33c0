"""The session as it stood at a moment of a recording, without folding everything before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from wlat_tui.frame import Frame, Mark, Span, Write, WriteClass
from wlat_tui.model.past import Digest
from wlat_tui.model.series import Earlier, Gap
from wlat_tui.model.session import Session
from wlat_tui.sessions.columns import Damaged
from wlat_tui.sessions.digests import Sum, unpack_digest
from wlat_tui.sessions.recording import Recording

LEAD_NS = 10_500_000_000
"""Folded before the moment at least: the window of the percentiles needs it (10 s; rates and trends less). Less than a block
lasts, so that often one block is enough."""
FORESEEN = 600
"""Frames at most: mostly every verdict is made after ten, on a slow host when its trace has been read."""
MOST_ROWS = 6_000
"""Frames looked at singly for a series; further back there are only blocks."""
_KEPT_STALLS, _KEPT = 1_000, 1_000


def session_at(recording: Recording, number: int, lead_ns: int = LEAD_NS) -> Session:
    """The session with the frame of this number as its last.

    Counts, worst writes, stalls, marks, notices, gaps and the window are exact; percentiles since the start nearly so.
    The evidence of stalls (traces, disturbances) reaches back *lead_ns*.

    Raises:
        SessionError: the recording is damaged.
        IndexError: there is no such frame.
    """
    newest = deque(growing(recording, number, lead_ns), maxlen=1)
    if not newest:
        raise IndexError(f"{recording.path} has no frame {number}")
    return newest[0]


def growing(recording: Recording, number: int, lead_ns: int = LEAD_NS) -> Iterator[Session]:
    """The same, frame by frame: whoever has other things to do stops in between. Raises SessionError."""
    if not recording.start <= number < len(recording):
        return
    at_ns = recording.row("SELECT begin_ns FROM frame WHERE number = ?", (number,))
    first = 0 if at_ns is None else recording.block_before(recording.number_at(int(at_ns[0]) - lead_ns))
    first = min(max(first, recording.block_before(recording.start)), recording.digested)
    session = Session.resumed(RecordedPast(recording, first)) if first else Session()
    for frame in _from(recording, first, number + 1):
        session.fold(frame)
        yield session
    # whoever comes for a stall wants to know why: that is told by the frames after it
    session.foresee(recording.frames(number + 1, min(number + 1 + FORESEEN, len(recording))))


def _from(recording: Recording, first: int, end: int) -> Iterator[Frame]:
    """Frames of which the first is complete."""
    if first:
        yield recording.known_at(first)
        first += 1
    yield from recording.frames(first, end)


class RecordedPast:
    """`wlat_tui.model.past.Past`: everything before one block of a recording.

    Args:
        recording: is asked again when a series is drawn for the first time.
        first: number of the block's first frame; every block before it must be digested.
    """

    def __init__(self, recording: Recording, first: int) -> None:
        self._recording = recording
        self._first = first
        self.total = self._total()
        self.stalls: Sequence[Write] = [
            Write(planned, begin, end, offset, segment, WriteClass[kind.upper()], cpu, backlog)
            for planned, begin, end, offset, segment, kind, cpu, backlog in self._newest(
                'planned_ns, begin_ns, end_ns, "offset", segment, class, cpu, backlog', "stall", _KEPT_STALLS
            )
        ]
        self.marks: Sequence[Mark] = [
            Mark(*row) for row in self._newest("at_ns, kind, name, before, after, text", "mark", _KEPT)
        ]
        self.notices: Sequence[tuple[int, int, str]] = recording.newest(
            "SELECT frame.end_ns, frame.wall_ns, text FROM notice JOIN frame ON number = frame WHERE frame < ?"
            " ORDER BY notice.rowid DESC LIMIT ?",
            (first, _KEPT),
        )
        self.gaps: Sequence[Gap] = [
            Gap(begin, end, reason, bool(only))
            for begin, end, reason, only in recording.newest(
                "SELECT begin_ns, end_ns, reason, writer_only FROM digest_gap WHERE first < ? ORDER BY rowid DESC LIMIT ?",
                (first, _KEPT),
            )
        ]
        self.nodes: Sequence[int] = [row[0] for row in recording.rows("SELECT DISTINCT node FROM digest_node")]
        frames = max(1, self.total.frames)
        self._tick_ns = max(1, (self.total.end_ns - self.total.begin_ns) // frames)
        length = recording.row("SELECT frames FROM digest WHERE first < ? ORDER BY first DESC LIMIT 1", (first,))
        self._block_ns = self._tick_ns * (int(length[0]) if length and length[0] else 1)

    def worst(self, span: Span) -> Earlier:
        name = span.name.lower()

        def earlier(resolution_ns: int, most: int) -> Sequence[Sequence[int | None]] | None:
            if most * resolution_ns // self._tick_ns <= MOST_ROWS and self._recording.has_classes:
                return self._recording.newest(
                    f"SELECT min(begin_ns), max(end_ns), max(worst_{name}_ns << 2 | worst_{name}_class), min(worst_{name}_ns)"
                    f" FROM frame WHERE number < ? AND number >= ? AND in_page IS NOT NULL"
                    f" GROUP BY begin_ns / ? ORDER BY number DESC LIMIT ?",
                    (self._first, self._first - MOST_ROWS, resolution_ns, most),
                )
            if resolution_ns < self._block_ns:
                return None
            return self._recording.newest(
                f"SELECT min(begin_ns), max(end_ns), max(most_{name}), min(least_{name}) FROM digest"
                f" WHERE first < ? AND end_ns > ? AND most_{name} IS NOT NULL"
                " GROUP BY begin_ns / ? ORDER BY first DESC LIMIT ?",
                (self._first, self.total.end_ns - most * resolution_ns, resolution_ns, most),
            )

        return earlier

    def memory(self, node: int) -> Earlier:
        def earlier(resolution_ns: int, most: int) -> Sequence[Sequence[int | None]] | None:
            if resolution_ns < self._block_ns:
                return None
            return self._recording.newest(
                "SELECT min(begin_ns), max(end_ns), min(free), min(headroom) FROM digest_node JOIN digest USING (first)"
                " WHERE node = ? AND first < ? AND end_ns > ? GROUP BY begin_ns / ? ORDER BY first DESC LIMIT ?",
                (node, self._first, self.total.end_ns - most * resolution_ns, resolution_ns, most),
            )

        return earlier

    def _newest(self, columns: str, table: str, most: int) -> list[tuple[Any, ...]]:
        return self._recording.newest(
            f"SELECT {columns} FROM {table} WHERE frame < ? ORDER BY frame DESC, rowid DESC LIMIT ?", (self._first, most)
        )

    def _total(self) -> Digest:
        """The last total before, and the blocks since then."""
        recording, total = self._recording, Sum()
        held = recording.row(
            "SELECT first, total FROM digest WHERE first < ? AND total IS NOT NULL ORDER BY first DESC LIMIT 1", (self._first,)
        )
        try:
            since = recording.rows(
                "SELECT data FROM digest WHERE first < ? AND first > ? ORDER BY first",
                (self._first, -1 if held is None else held[0]),
            )
            added = [] if held is None else [held[1]]
            added += [data for (data,) in since]
            for i, data in enumerate(added, 1):
                total.add(unpack_digest(data, whole=i == len(added)))
        except (Damaged, TypeError) as error:
            raise recording.damaged(error) from error
        return total.read()
