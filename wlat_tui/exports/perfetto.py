"""A trace for ui.perfetto.dev (and chrome://tracing): the Trace Event Format, JSON.

Tracks: *stalls* with what each consisted of as slices inside it, one track per suspect, marks as instants, and counters for the
worst write of each tick and the headroom of each node. Times are microseconds since boot, as the format wants them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from wlat_tui.exports.job import Exporter, Job
from wlat_tui.frame import Frame, Span
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.session import Session
from wlat_tui.model.stalls import Explained
from wlat_tui.model.suspects import name_of
from wlat_tui.units import format_ns

Event = dict[str, Any]
PID, STALLS_TID = 1, 1


class _Trace:
    """Folds frames; events come out as they are known."""

    def __init__(self) -> None:
        self._session = Session()
        self._named = False
        self._counters: dict[str, float | None] = {}
        self._last_stall_ns = 0
        self._number = 0

    def events(self, frame: Frame) -> Iterator[Event]:
        session = self._session
        before = session.explained[-1] if session.explained else None
        session.fold(frame)
        if not self._named and session.host is not None:
            self._named = True
            yield _meta("process_name", f"wlat on {session.host.hostname}")
            yield _meta("thread_name", "stalls", STALLS_TID)
        yield from self._measured(frame)
        for mark in frame.marks:
            yield {"ph": "i", "s": "g", "name": mark.text or mark.name, "cat": "mark", **_at(mark.at_ns), **_on(STALLS_TID)}
        for disturbance in frame.disturbances:
            yield from self._disturbance(disturbance)
        new: list[Explained] = []
        for explained in reversed(session.explained):
            if explained is before:
                break
            new.append(explained)
        for explained in reversed(new):
            yield from self._stall(explained)

    def _measured(self, frame: Frame) -> Iterator[Event]:
        worst = None if frame.writer is None else frame.writer.worst[Span.SERVICE]
        if worst is not None:
            yield from self._counter("worst write, us", frame.end_ns, span_ns(worst, Span.SERVICE) / 1e3)
        host = self._session.host
        for sample in frame.nodes or ():
            pages = self._session.nodes[sample.node].headroom_pages
            if pages is not None and host is not None:
                name = f"node {sample.node} headroom, MiB"
                yield from self._counter(name, frame.end_ns, round(pages * host.page_bytes / (1 << 20), 3))

    def _counter(self, name: str, at_ns: int, value: float) -> Iterator[Event]:
        """Only what changed: a counter holds its value."""
        if self._counters.get(name) != value:
            self._counters[name] = value
            yield {"ph": "C", "name": name, **_at(at_ns), "pid": PID, "args": {"value": value}}

    def _disturbance(self, disturbance: Any) -> Iterator[Event]:
        """Asynchronous slices: several of one suspect may overlap."""
        self._number += 1
        same = {"cat": "suspects", "id": self._number, "name": f"{disturbance.kind} {disturbance.what}", **_on(STALLS_TID)}
        args = {"by": name_of(disturbance.by), "pid": disturbance.by.pid, "count": disturbance.count}
        yield {"ph": "b", **same, **_at(disturbance.begin_ns), "args": args}
        yield {"ph": "e", **same, **_at(max(disturbance.begin_ns, disturbance.end_ns))}

    def _stall(self, explained: Explained) -> Iterator[Event]:
        """The stall, and its phases inside it. Slices of a track may not overlap in part: stalls are one writer's, so they do
        not, except for the wait before a late start."""
        verdict, write = explained.verdict, explained.write
        begin_ns = max(verdict.begin_ns, self._last_stall_ns)
        if verdict.end_ns <= begin_ns:
            return
        self._last_stall_ns = verdict.end_ns
        args = {
            "service_us": write.service_ns / 1e3,
            "response_us": write.response_ns / 1e3,
            "class": write.write_class.name.lower(),
            "cpu": write.cpu,
            "explained_pct": round(verdict.explained_pct, 1),
        }
        yield _slice(f"{explained.cause.title} {format_ns(verdict.span_ns)}", "stall", begin_ns, verdict.end_ns, args)
        for phase in verdict.phases:
            if phase.end_ns > begin_ns and len(verdict.phases) > 1:
                known: Event = {"confidence": phase.confidence.value, "evidence": phase.evidence}
                if phase.chain:
                    known["chain"] = " < ".join(phase.chain)
                yield _slice(phase.cause, "phase", max(begin_ns, phase.begin_ns), phase.end_ns, known)


def _at(ns: int) -> Event:
    return {"ts": ns / 1e3}


def _on(tid: int) -> Event:
    return {"pid": PID, "tid": tid}


def _slice(name: str, category: str, begin_ns: int, end_ns: int, args: Event) -> Event:
    same = {"ph": "X", "name": name, "cat": category, **_on(STALLS_TID), "args": args}
    return {**same, "ts": begin_ns / 1e3, "dur": (end_ns - begin_ns) / 1e3}


def _meta(what: str, name: str, tid: int = 0) -> Event:
    return {"ph": "M", "name": what, **_on(tid), "args": {"name": name}}


def write(job: Job, file: BinaryIO) -> None:
    """One event per line."""
    trace = _Trace()
    file.write(b'{"displayTimeUnit":"ns","traceEvents":[')
    separator = b"\n"
    for frame in job.frames():
        for event in trace.events(frame):
            file.write(separator + json.dumps(event, separators=(",", ":"), allow_nan=False).encode())
            separator = b",\n"
    file.write(b"\n]}\n")


EXPORTER = Exporter("perfetto", "a trace of stalls, for ui.perfetto.dev", write)
