"""Sides out of recordings: a whole file, a span of it, before and after a toggle, or the sides of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wlat_tui.compare.side import Side
from wlat_tui.frame import Frame, Mark, Span
from wlat_tui.model.changes import SETTLE_NS
from wlat_tui.model.phases import phases
from wlat_tui.sessions.moment import parse_moment
from wlat_tui.sessions.recording import Recording

Watch = Callable[[Iterable[Frame], int], Iterable[Frame]]
"""Shows progress: (frames, how many) -> the same frames."""
TOGGLED = ("applied", "restored", "foreign")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames of a recording, by number: from the first to before the second."""

    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """A side before it is read."""

    name: str
    stretches: tuple[Stretch, ...]
    about: str | None = None
    """The mitigation whose values the sides are named after; None: they are not."""


def split_name(text: str) -> tuple[Path, str | None, str | None]:
    """``a.wlat@20s..1m`` -> (a.wlat, 20s, 1m); either end may be missing, a file of the very name goes first."""
    path, at, span = text.rpartition("@")
    if not at or ".." not in span or Path(text).exists():
        return Path(text), None, None
    begin, _, end = span.partition("..")
    return Path(path), begin or None, end or None


def stretch(recording: Recording, begin: str | None, end: str | None) -> Stretch:
    """The frames of a span as it is written. Raises ValueError when there are none."""
    first = 0 if begin is None else recording.number_at(parse_moment(begin, recording))
    last = len(recording) if end is None else min(len(recording), recording.number_at(parse_moment(end, recording) - 1) + 1)
    if last <= first:
        raise ValueError(f"{recording.path} holds no frame from {begin or 'its start'} to {end or 'its end'}")
    return Stretch(first, last)


def marks_of(recording: Recording) -> list[Mark]:
    """Every mark, in time order."""
    rows = recording.rows("SELECT at_ns, kind, name, before, after, text FROM mark ORDER BY frame, at_ns")
    return [Mark(*row) for row in rows]


def experiment_sides(recording: Recording) -> list[Chosen]:
    """The sides of an experiment's recording, in the order they first came; none in others."""
    found: dict[str, list[Stretch]] = {}
    for phase in phases(marks_of(recording)):
        found.setdefault(phase.side, []).append(_between(recording, phase.begin_ns, phase.end_ns))
    return [Chosen(name, tuple(s for s in stretches if s.end > s.first)) for name, stretches in found.items()]


def around(recording: Recording, what: str) -> tuple[Chosen, Chosen]:
    """Before and after a mark.

    For a toggle: all time between marks in which it stood as before it was first touched, and as it stood after. For a note:
    everything before it, and everything after. A second after each mark is left out.

    Args:
        recording: with the marks.
        what: number of the mark as ``wlat info`` lists them (from 1), the toggle's name, or part of a note's text.

    Raises:
        ValueError: there is no such mark, or nothing before or after it.
    """
    marks = [mark for mark in marks_of(recording) if mark.kind != "phase"]
    if what.isdecimal() and 1 <= int(what) <= len(marks):
        mark = marks[int(what) - 1]
    else:
        named = [m for m in marks if m.name == what and m.kind in TOGGLED]
        noted = [m for m in marks if m.kind == "note" and what in m.text]
        if not named and not noted:
            known = ", ".join(dict.fromkeys(m.name if m.kind in TOGGLED else f"'{m.text}'" for m in marks)) or "none"
            raise ValueError(f"{recording.path} has no mark '{what}'; it has: {known}")
        mark = (named or noted)[0]
    span_ns = recording.span_ns or (0, 0)
    if mark.kind not in TOGGLED:
        halves = ([(span_ns[0], mark.at_ns)], [(mark.at_ns + SETTLE_NS, span_ns[1])])
        names = (f"before '{mark.text}'", f"after '{mark.text}'")
    else:
        halves = _halves([m for m in marks if m.kind in TOGGLED], mark, span_ns)
        names = (f"{mark.name}={mark.before or 'n/a'}", f"{mark.name}={mark.after or 'n/a'}")
    sides = []
    for name, spans in zip(names, halves, strict=True):
        found = tuple(_between(recording, *span) for span in spans if span[1] > span[0])
        if not any(s.end > s.first for s in found):
            raise ValueError(f"{recording.path} holds nothing for '{name}'")
        sides.append(Chosen(name, found, mark.name if mark.kind in TOGGLED else None))
    return sides[0], sides[1]


def _halves(toggles: list[Mark], mark: Mark, span_ns: tuple[int, int]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Spans with the toggle as before the mark, and as after it. A span ends with the next mark of whatever toggle."""
    before: list[tuple[int, int]] = []
    after: list[tuple[int, int]] = []
    begin_ns, value = span_ns[0], next(m.before for m in toggles if m.name == mark.name)
    for end_ns, toggle in [*((m.at_ns, m) for m in toggles), (span_ns[1], None)]:
        if value == mark.before:
            before.append((begin_ns, end_ns))
        elif value == mark.after:
            after.append((begin_ns, end_ns))
        begin_ns = end_ns + SETTLE_NS
        if toggle is not None and toggle.name == mark.name:
            value = toggle.after
    return before, after


def _between(recording: Recording, begin_ns: int, end_ns: int) -> Stretch:
    """Frames that begin and end between two moments."""
    first = recording.number_at(begin_ns)
    if first < len(recording) and recording.known_at(first).begin_ns < begin_ns:
        first += 1
    return Stretch(first, max(first, recording.number_at(end_ns)))


def read_side(recording: Recording, chosen: Chosen, span: Span, watch: Watch = lambda frames, _count: frames) -> Side:
    """Read a side's frames. Raises SessionError when the recording is damaged."""
    side = Side(chosen.name, span)
    total = sum(part.end - part.first for part in chosen.stretches)
    parts = _Parts(recording, chosen.stretches, side)
    for frame in watch(parts.frames(), total):
        side.take(frame)
    side.end()
    return side


@dataclass(frozen=True, slots=True)
class _Parts:
    recording: Recording
    stretches: tuple[Stretch, ...]
    side: Side

    def frames(self) -> Iterator[Frame]:
        """Every stretch begins with a whole frame, and with a new part of the side."""
        for number, part in enumerate(self.stretches):
            if number:
                self.side.part()
            if part.end > part.first:
                known = self.recording.known_at(part.first)
                yield replace(known, marks=()) if number else known
                yield from self.recording.frames(part.first + 1, part.end)
