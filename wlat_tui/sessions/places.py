"""Places in a recording that one can go to: stalls, marks, the worst write; and the whole of it at a glance."""

from __future__ import annotations

from dataclasses import dataclass

from wlat_tui.frame import UNRECORDED_LATE_WAKES, Settings, Span
from wlat_tui.sessions.recording import Recording

MOST_FRAMES = 20_000
"""Recordings up to this length are looked at frame by frame for the overview, longer ones block by block."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the overview."""

    worst_ns: int | None
    """None: no write finished in it, or nothing was recorded."""
    marked: bool


def stall_beside(recording: Recording, number: int, step: int) -> int | None:
    """Number of the next (step 1) or previous (-1) frame with a stall; None when there is none.

    Stalls in write() itself; late wakes only where the whole recording has nothing else: a busy host has thousands of them.
    Raises SessionError.
    """
    order = "" if step > 0 else "DESC"
    slow = False
    for first, end, threshold_ns in _thresholds(recording)[::step]:
        slow = slow or _stall_between(recording, first, end, threshold_ns, "") is not None
        found = _stall_between(recording, *_beside(number, step, first, end), threshold_ns, order)
        if found is not None:
            return found
    return None if slow else _stall_between(recording, *_beside(number, step, recording.start, len(recording)), -1, order)


def _beside(number: int, step: int, first: int, end: int) -> tuple[int, int]:
    """The part of these frames behind (before) this one."""
    return (max(first, number + 1), end) if step > 0 else (first, min(end, number))


def _stall_between(recording: Recording, first: int, end: int, above_ns: int, order: str) -> int | None:
    row = recording.row(
        f"SELECT frame FROM stall WHERE frame >= ? AND frame < ? AND service_ns > ? ORDER BY frame {order} LIMIT 1",
        (max(first, recording.start), end, above_ns),
    )
    return None if row is None else int(row[0])


def _thresholds(recording: Recording) -> list[tuple[int, int, int]]:
    """(first frame, frame behind the last, ns) of every stall threshold there was."""
    changes = [(0, Settings().threshold_ns)]
    for frame, text in recording.rows("SELECT frame, value FROM setting WHERE name = 'threshold_ns' ORDER BY frame"):
        if isinstance(frame, int) and str(text).isdecimal() and int(text) != changes[-1][1]:
            changes.append((frame, int(text)))
    ends = [*(frame for frame, _ in changes[1:]), len(recording)]
    return [(first, end, ns) for (first, ns), end in zip(changes, ends, strict=True)]


def late_wakes(recording: Recording, first: int = 0, end: int | None = None) -> int:
    """How many stalls of these frames were late wakes: write() itself stayed within the threshold. Raises SessionError."""
    end = len(recording) if end is None else end
    found = 0
    for begin, behind, threshold_ns in _thresholds(recording):
        span = (max(first, begin), min(end, behind), threshold_ns)
        row = recording.row("SELECT count(*) FROM stall WHERE frame >= ? AND frame < ? AND service_ns <= ?", span)
        found += row[0] if row else 0
    row = recording.row(
        "SELECT sum(count) FROM loss WHERE name = ? AND frame >= ? AND frame < ?", (UNRECORDED_LATE_WAKES, first, end)
    )
    return found + int(row[0] or 0 if row else 0)


def mark_beside(recording: Recording, number: int, step: int) -> int | None:
    """Number of the next or previous frame with a mark; None when there is none. Raises SessionError."""
    if step > 0:
        row = recording.row("SELECT frame FROM mark WHERE frame > ? ORDER BY frame LIMIT 1", (number,))
    else:
        row = recording.row(
            "SELECT frame FROM mark WHERE frame < ? AND frame >= ? ORDER BY frame DESC LIMIT 1", (number, recording.start)
        )
    return None if row is None else int(row[0])


def worst_frame(recording: Recording, span: Span) -> int | None:
    """Number of the frame with the longest write; None when no write finished. Raises SessionError."""
    name = span.name.lower()
    found: list[tuple[int, int]] = []
    digested = recording.digested
    block = recording.row(
        f"SELECT first, frames FROM digest WHERE most_{name} IS NOT NULL AND first >= ?"
        f" ORDER BY most_{name} >> 2 DESC, first LIMIT 1",
        (recording.start,),
    )
    for begin, end in ((digested, len(recording)), (block[0], block[0] + block[1]) if block else (0, 0)):
        row = recording.row(
            f"SELECT worst_{name}_ns, number FROM frame WHERE number >= ? AND number < ? AND worst_{name}_ns IS NOT NULL"
            f" ORDER BY worst_{name}_ns DESC, number LIMIT 1",
            (begin, end),
        )
        if row is not None:
            found.append((int(row[0]), int(row[1])))
    return max(found, default=(0, None), key=lambda pair: pair[0])[1]


def overview(recording: Recording, span: Span, count: int) -> list[Cell]:
    """The whole recording in *count* cells. Raises SessionError."""
    span_ns = recording.span_ns
    if span_ns is None or count < 1:
        return [Cell(None, False)] * count
    begin_ns, length_ns = span_ns[0], max(1, span_ns[1] - span_ns[0])
    name, total, digested = span.name.lower(), len(recording), recording.digested
    if total > MOST_FRAMES:
        queries = [
            (f"SELECT min(end_ns), max(most_{name} >> 2) FROM digest WHERE first >= ?", recording.start),
            (f"SELECT min(end_ns), max(worst_{name}_ns) FROM frame WHERE number >= ?", digested),
        ]
    else:
        queries = [(f"SELECT min(end_ns), max(worst_{name}_ns) FROM frame WHERE number >= ?", 0)]
    worst: list[int | None] = [None] * count
    for sql, first in queries:
        for end_ns, most in recording.rows(
            f"{sql} GROUP BY min(? - 1, (end_ns - 1 - ?) * ? / ?)", (first, count, begin_ns, count, length_ns)
        ):
            cell = min(count - 1, max(0, (end_ns - 1 - begin_ns) * count // length_ns))
            worst[cell] = max(filter(None, (worst[cell], most)), default=None)
    marked = {
        min(count - 1, max(0, (at_ns - begin_ns) * count // length_ns))
        for (at_ns,) in recording.rows("SELECT DISTINCT at_ns FROM mark WHERE at_ns >= ? LIMIT 10000", (begin_ns,))
    }
    return [Cell(ns, i in marked) for i, ns in enumerate(worst)]
