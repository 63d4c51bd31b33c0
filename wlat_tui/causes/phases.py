"""A verdict: what one stall consisted of."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from wlat_tui.evidence import Thread, TraceLevel


class Confidence(StrEnum):
    """How we know."""

    TRACED = "traced"
    """Recorded on the writer's own thread."""
    COINCIDED = "coincided"
    """It happened at the same time and would explain it; not proven for this write."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a stall that one cause accounts for."""

    cause: str
    """`Cause.name`; "unexplained" where nothing is known."""
    begin_ns: int
    end_ns: int
    confidence: Confidence
    evidence: str = ""
    """What shows it, in one line: events with their fields, the lock, the counters. Empty only where nothing is known."""
    event: str = ""
    """Name of the trace event it rests on; empty: none."""
    chain: tuple[str, ...] = ()
    """Kernel functions, innermost first, without compiler suffixes."""
    by: Thread | None = None
    """Who took the CPU, where the event itself names them."""

    @property
    def length_ns(self) -> int:
        return self.end_ns - self.begin_ns


@dataclass(frozen=True, slots=True)
class Share:
    """One cause's part of a stall."""

    cause: str
    spent_ns: int
    confidence: Confidence
    """Of the larger part of it."""
    explains: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why one write was slow. ``shares`` and ``phases`` each add up to exactly ``end_ns - begin_ns``; nothing counts twice."""

    begin_ns: int
    """The plan, when the writer was free and started late; else the moment write() was entered."""
    end_ns: int
    cause: str
    """The stall's name: the cause with the largest share ("unexplained" included)."""
    confidence: Confidence
    phases: tuple[Phase, ...]
    """In time order, no holes or overlaps, at most `MAX_PHASES`: beyond, the shortest are drawn as part of a neighbour."""
    shares: tuple[Share, ...]
    """Exact time by cause, largest first."""
    level: TraceLevel
    """What could be seen of this stall (NOTHING when its trace never came)."""
    lost: int = 0
    """Trace records lost while it happened."""
    omitted: int = 0
    """Switches between other threads that its record had no room for."""

    @property
    def span_ns(self) -> int:
        return self.end_ns - self.begin_ns

    @property
    def explained_ns(self) -> int:
        return sum(share.spent_ns for share in self.shares if share.explains)

    @property
    def explained_pct(self) -> float:
        return 100 * self.explained_ns / self.span_ns if self.span_ns else 0.0

    @property
    def main(self) -> Phase:
        """The longest phase of the cause the stall is named after: its chain and evidence stand for the stall.

        (Of any cause, when that one consists of nothing but scraps too short to be kept as phases.)
        """
        named = [phase for phase in self.phases if phase.cause == self.cause]
        return max(named or self.phases, key=lambda phase: phase.length_ns)


MAX_PHASES = 200


def shares_of(phases: list[Phase], explains: dict[str, bool]) -> tuple[Share, ...]:
    """Time by cause, largest first; of equals, the one that explains something, then the name decides."""
    total: dict[str, int] = defaultdict(int)
    traced: dict[str, int] = defaultdict(int)
    for phase in phases:
        total[phase.cause] += phase.length_ns
        if phase.confidence is Confidence.TRACED:
            traced[phase.cause] += phase.length_ns
    shares = [
        Share(cause, ns, Confidence.TRACED if 2 * traced[cause] >= ns else Confidence.COINCIDED, explains[cause])
        for cause, ns in total.items()
    ]
    return tuple(sorted(shares, key=lambda share: (-share.spent_ns, not share.explains, share.cause)))


def bounded(phases: list[Phase]) -> tuple[Phase, ...]:
    """At most `MAX_PHASES`: a phase shorter than all that are kept is given to the one before it (the first: to the next)."""
    if len(phases) <= MAX_PHASES:
        return tuple(phases)
    kept = set(sorted(range(len(phases)), key=lambda i: -phases[i].length_ns)[:MAX_PHASES])
    begin_ns, end_ns = phases[0].begin_ns, phases[-1].end_ns
    chosen = [phase for i, phase in enumerate(phases) if i in kept]
    edges = [begin_ns, *(phase.begin_ns for phase in chosen[1:]), end_ns]
    return tuple(
        Phase(p.cause, edges[i], edges[i + 1], p.confidence, p.evidence, p.event, p.chain, p.by) for i, p in enumerate(chosen)
    )
