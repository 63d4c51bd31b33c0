"""Who disturbed the write path, added up: one suspect per program and file, with the stalls it was seen beside.

Folded from `Disturbance`s. A short-lived reader (``cat`` in a shell loop) has a new pid each time: the one to stop is the one
that starts it, so readers are grouped by their parent's command line and the parent is named. Overlap is coincidence in time,
no proof: the causes say what was traced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wlat_tui.evidence import Disturbance, Thread
from wlat_tui.frame import Write
from wlat_tui.units import format_bytes, format_ns

KEPT_SUSPECTS = 200
KEPT_DISTURBANCES = 500
"""So many of the newest are held against stalls that come later."""
KEPT_STALLS = 200
_NOBODY = (0, 1, 2, None)
"""Parents that start everything and stand for nothing: the idle task, init, kthreadd, unknown."""
_KINDS = ("read", "write", "preempted", "hook", "fsync", "cpu", "dirtied")
"""The one that is most surely at fault when it was seen beside a stall first."""
COUNTED = ("dirtied", "cpu", "hook")
"""Known as sums over a second or so, or always there: that they overlap a stall says nothing."""
HARM = {
    "slabinfo": "holds each slab cache's list_lock with interrupts off while it counts, buffer_head's too",
    "zoneinfo": "holds zone->lock with interrupts off while each zone is printed",
    "buddyinfo": "takes zone->lock with interrupts off for each zone",
    "pagetypeinfo": "walks free lists and page blocks under zone->lock with interrupts off",
    "stat_refresh": "interrupts every CPU to fold its counters",
    "drop_caches": "throws the page cache away, so that writes allocate anew",
    "compact_memory": "moves pages on every node",
}
"""What touching a kernel file does to writers, by its name."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """All that one program did to one thing since the start."""

    kind: str
    """As in `Disturbance`."""
    what: str
    by: Thread
    """The newest thread that did it."""
    count: int
    spent_ns: int | None
    """Time spent doing it, where it is known; None: never."""
    first_ns: int
    last_ns: int
    processes: int
    """Different pids seen; many, where each lives for one read only."""
    stalls: int
    """Stalls, late wakes included, that its doings overlapped in time; 0 for kinds known only as sums over a second."""
    stalled_ns: int
    """How long they did."""
    own: bool
    busy_ns: int = 0
    """How long it was at it: the stretches it is known to lie within, put end to end."""

    def by_chance(self, stall_count: int, elapsed_ns: int) -> float:
        """How many of all stalls it would have overlapped if it had nothing to do with them."""
        return stall_count * min(1.0, self.busy_ns / elapsed_ns) if elapsed_ns > 0 else 0.0

    @property
    def to_stop(self) -> Thread:
        """Whom to stop: itself, or its parent where new processes keep coming."""
        by = self.by
        if self.processes < 2 or self.kind == "dirtied" or by.parent_pid in _NOBODY or not by.parent:
            return by
        assert by.parent_pid is not None
        return Thread(by.parent_pid, by.parent.split(" ")[0].rpartition("/")[2], by.parent, by.container)


@dataclass(slots=True)
class _Record:
    suspect: Suspect
    pids: set[int]
    met: dict[int, int]
    """Stall's ``begin_ns`` -> ns of it already counted; the newest stalls only."""


class Suspects:
    """Folds disturbances and stalls, in whatever order frames bring them. Bounded."""

    def __init__(self) -> None:
        self._records: dict[tuple[object, ...], _Record] = {}
        self._recent: deque[tuple[_Record, Disturbance]] = deque(maxlen=KEPT_DISTURBANCES)
        self._stalls: deque[Write] = deque(maxlen=KEPT_STALLS)
        self.stall_count = 0
        """Stalls that suspects were held against: fewer than happened where a recording kept or a ring held only some."""

    def fold(self, disturbances: Sequence[Disturbance], stalls: Sequence[Write]) -> None:
        """Take one frame's worth in. Stalls are one writer's: in time order, one after the other."""
        finished = [stall for stall in stalls if stall.end_ns > 0]
        if finished:
            for record, disturbance in self._recent:
                _meet(record, disturbance, finished)
            self._stalls.extend(finished)
            self.stall_count += len(finished)
        known = list(self._stalls) if disturbances else []
        for disturbance in disturbances:
            record = self._add(disturbance)
            _meet(record, disturbance, known)
            self._recent.append((record, disturbance))

    def resume(self, suspects: Sequence[Suspect]) -> None:
        """Begin with what was added up before."""
        for suspect in suspects:
            d = Disturbance(suspect.kind, suspect.what, suspect.by, suspect.first_ns, suspect.last_ns, own=suspect.own)
            self._records[_key(d)] = _Record(suspect, {suspect.by.pid}, {})

    def ranked(self) -> list[Suspect]:
        """First those seen beside stalls, what takes locks before what only competes; wlat's own doings last."""
        found = [record.suspect for record in self._records.values()]
        return sorted(found, key=_rank)

    def during(self, begin_ns: int, end_ns: int) -> list[Suspect]:
        """Those seen at work in this span, among the newest disturbances; the one longest at it first."""
        spans: dict[int, tuple[int, _Record]] = {}
        for record, d in self._recent:
            if (ns := min(end_ns, d.end_ns) - max(begin_ns, d.begin_ns)) >= 0:
                before = spans.get(id(record), (0, record))[0]
                spans[id(record)] = before + ns, record
        return [record.suspect for _, record in sorted(spans.values(), key=lambda pair: (pair[1].suspect.own, -pair[0]))]

    def _add(self, disturbance: Disturbance) -> _Record:
        key = _key(disturbance)
        record = self._records.pop(key, None)
        d = disturbance
        if record is None:
            self._make_room()
            first = Suspect(
                d.kind, d.what, d.by, d.count, d.spent_ns, d.begin_ns, d.end_ns, 1, 0, 0, d.own, d.end_ns - d.begin_ns
            )
            record = _Record(first, {d.by.pid}, {})
        else:
            if d.by.pid not in record.pids and len(record.pids) < KEPT_DISTURBANCES:
                record.pids.add(d.by.pid)
            old = record.suspect
            record.suspect = replace(
                old,
                by=d.by,
                count=old.count + d.count,
                spent_ns=old.spent_ns if d.spent_ns is None else (old.spent_ns or 0) + d.spent_ns,
                first_ns=min(old.first_ns, d.begin_ns),
                last_ns=max(old.last_ns, d.end_ns),
                processes=len(record.pids),
                busy_ns=old.busy_ns + max(0, d.end_ns - max(d.begin_ns, old.last_ns)),
            )
        self._records[key] = record  # behind the others: the first is the one not seen for longest
        return record

    def _make_room(self) -> None:
        while len(self._records) >= KEPT_SUSPECTS:
            harmless = (key for key, record in self._records.items() if record.suspect.stalls == 0)
            del self._records[next(harmless, next(iter(self._records)))]


def _rank(s: Suspect) -> tuple[object, ...]:
    kind = _KINDS.index(s.kind) if s.kind in _KINDS else len(_KINDS)
    return s.own, s.stalls == 0, kind, -s.stalled_ns, -(s.spent_ns or 0), -s.count, s.first_ns


def _key(d: Disturbance) -> tuple[object, ...]:
    by_parent = d.kind != "dirtied" and d.by.parent_pid not in _NOBODY and d.by.parent
    who = d.by.parent if by_parent else d.by.command
    name = d.by.comm.partition("/")[0] if d.by.comm.startswith("kworker") else d.by.comm
    return d.kind, d.what, d.own, d.by.container, name, who


def _meet(record: _Record, d: Disturbance, stalls: Sequence[Write]) -> None:
    """Count the stalls among these that the disturbance overlaps; each once, and no longer than it lasted."""
    if d.kind in COUNTED:
        return
    at = bisect_left(stalls, d.begin_ns, key=lambda stall: stall.end_ns)
    for stall in stalls[at:]:
        # time spent queueing behind an earlier stall is that one's
        since_ns = stall.begin_ns if stall.backlog else stall.planned_ns
        if since_ns > d.end_ns:
            break
        ns = min(stall.end_ns, d.end_ns) - max(since_ns, d.begin_ns)
        before = record.met.get(stall.begin_ns)
        after = min(stall.end_ns - since_ns, (before or 0) + ns)
        old = record.suspect
        record.suspect = replace(old, stalls=old.stalls + (before is None), stalled_ns=old.stalled_ns + after - (before or 0))
        record.met[stall.begin_ns] = after
        while len(record.met) > KEPT_STALLS:
            del record.met[next(iter(record.met))]


_DEEDS: Mapping[str, str] = {
    "read": "read {what} {count}",
    "write": "wrote {what} {count}",
    "fsync": "called fsync on {what} {count}",
    "dirtied": "dirtied {bytes} on {what}",
    "cpu": "ran for {spent} in the kernel",
    "preempted": "took {what} from the writer {count}",
    "hook": "is attached to {what}",
}


def deed(suspect: Suspect) -> str:
    """What it did, in a few words: ``read /proc/slabinfo 1,204 times``."""
    times = "once" if suspect.count == 1 else f"{suspect.count:,} times"
    text = _DEEDS.get(suspect.kind, "{kind} {what} {count}")
    return text.format(
        kind=suspect.kind,
        what=suspect.what,
        count=times,
        bytes=format_bytes(suspect.count),
        spent=format_ns(suspect.spent_ns),
    )


def name_of(thread: Thread) -> str:
    """The command line, shortened, or the name; never empty."""
    text = thread.command or thread.comm or "a process that was gone"
    return text if len(text) <= 70 else text[:69] + "…"


def sentence(suspect: Suspect, stall_count: int | None = None, elapsed_ns: int | None = None) -> str:
    """Who must be stopped, why, and what it cost, in one sentence.

    Args:
        suspect: whom it is about.
        stall_count: all stalls that it was held against (`Suspects.stall_count`), when known: "12 of 17 stalls".
        elapsed_ns: how long the run was, when known: then it is said how many would have met it by chance.
    """
    target = suspect.to_stop
    where = f" in {target.container}" if target.container else ""
    named = f"{name_of(target)} (pid {target.pid}){where}" if target.pid else f"{name_of(target)}{where}"
    does = deed(suspect)
    if suspect.own:
        return f"wlat itself {does}."
    doer = "it" if target.pid == suspect.by.pid else f"its {suspect.by.comm or 'child'}"
    harm = HARM.get(suspect.what.rpartition("/")[2])
    because = f", which {harm}" if harm else ""
    of = f" of {stall_count:,}" if stall_count is not None and stall_count >= suspect.stalls else ""
    if suspect.kind in COUNTED:
        cost = ""
    elif suspect.stalls:
        plural = "stall" if suspect.stalls == 1 and not of else "stalls"
        cost = f"; {suspect.stalls:,}{of} {plural} ({format_ns(suspect.stalled_ns)}) happened meanwhile"
        if stall_count is not None and elapsed_ns is not None:
            cost += f", {suspect.by_chance(stall_count, elapsed_ns):,.0f} would by chance"
    else:
        cost = "; no stall happened meanwhile so far"
    if suspect.kind in ("read", "write"):
        return f"Stop {named}: {doer} {does}{because}{cost}."
    return f"{named}: {doer} {does}{cost}."
