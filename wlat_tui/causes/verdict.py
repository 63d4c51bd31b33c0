"""The verdict on one stall: phases that add up to it, with whatever is left over as unexplained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from heapq import heappop, heappush
from itertools import pairwise

from wlat_tui.causes import CATALOGUE, host_memory
from wlat_tui.causes.cause import Cause, Family
from wlat_tui.causes.chains import Matcher
from wlat_tui.causes.circumstances import Circumstances
from wlat_tui.causes.phases import Confidence, Phase, Verdict, bounded, shares_of
from wlat_tui.causes.timeline import Stretch, Timeline
from wlat_tui.evidence import StallTrace, TraceLevel, Tracer
from wlat_tui.frame import Mode, Write, WriteClass
from wlat_tui.units import format_ns

STEAL_STEP_NS = 10_000_000
"""Steal is counted in ticks of this length: a piece may be longer than what was counted by that much."""
SHORTEST_STEAL_NS = 100_000
DIRTY_NEAR_LIMIT = 0.9
_MATCHER = Matcher(CATALOGUE)
_EXPLAINS = {cause.name: cause.explains for cause in CATALOGUE}
_last_blind: tuple[Tracer | None, tuple[Cause, ...]] | None = None
_FAMILY = {cause.name: cause.family for cause in CATALOGUE}
_OPEN_QUESTIONS = ("unexplained", "blocked")
HOST_COULD = ("unexplained", "late_timer", "idle_exit")
"""What it looks like from inside when the hypervisor ran something else."""


def explain(write: Write, trace: StallTrace | None, circumstances: Circumstances) -> Verdict:
    """Why a finished write was slow. Whatever is missing from the trace, the phases add up to the stall.

    Args:
        write: the stall.
        trace: what the tracer kept of it; None: nothing.
        circumstances: what else was known then.
    """
    begin_ns, end_ns = span_of(write, circumstances)
    stretches: list[Stretch] = []
    level = TraceLevel.NOTHING
    if trace is not None:
        level = TraceLevel.FULL if circumstances.tracer is None else circumstances.tracer.level
        stretches += Timeline(write, trace, CATALOGUE, _MATCHER, circumstances).stretches
        if trace.from_ns > begin_ns:
            stretches.append(_not_recorded(begin_ns, trace.from_ns))
    elif write.begin_ns > begin_ns and circumstances.settings.mode is Mode.SLEEP:
        text = f"began {format_ns(write.wake_ns)} after its plan; what kept it was not recorded"
        stretches.append(Stretch(begin_ns, write.begin_ns, "late_timer", Confidence.COINCIDED, text))
    phases = _joined(_flat(stretches, begin_ns, end_ns))
    phases = _stolen(phases, circumstances, traced=trace is not None)
    if trace is not None and level is TraceLevel.FULL:
        phases = _fetched(phases, write, circumstances)
    phases = _hinted(phases, write, circumstances)
    shares = shares_of(phases, _EXPLAINS)
    return Verdict(
        begin_ns=begin_ns,
        end_ns=end_ns,
        cause=shares[0].cause,
        confidence=shares[0].confidence,
        phases=bounded(phases),
        shares=shares,
        level=level,
        lost=0 if trace is None else trace.lost,
        omitted=0 if trace is None else trace.omitted,
    )


def span_of(write: Write, circumstances: Circumstances) -> tuple[int, int]:
    """What has to be explained: the whole response where the writer was free and started late, else write() alone."""
    queued = write.backlog > 0
    slow_by_itself = write.service_ns > circumstances.settings.threshold_ns and write.service_ns >= write.wake_ns
    begin_ns = write.begin_ns if queued or slow_by_itself else write.planned_ns
    return begin_ns, max(write.end_ns, begin_ns + 1)


def blind_causes(tracer: Tracer | None) -> tuple[Cause, ...]:
    """Causes that could not be recognised now, because none of the probes that show them is armed. None: not traced."""
    global _last_blind
    if _last_blind is None or _last_blind[0] is not tracer:
        # a quarter of what a verdict takes, and a tracer stays the same for hours
        _last_blind = tracer, tuple(cause for cause in CATALOGUE if _is_blind(cause, tracer))
    return _last_blind[1]


def _is_blind(cause: Cause, tracer: Tracer | None) -> bool:
    if not cause.probes and not cause.chains:
        return False
    if tracer is None or (cause.chains and tracer.level < TraceLevel.CHAINS):
        return True
    return bool(cause.probes) and not any(probe.armed and probe.name in cause.probes for probe in tracer.probes)


def _not_recorded(begin_ns: int, end_ns: int) -> Stretch:
    text = "not kept: the ring was overwritten, or more happened than the record of one stall holds"
    # begun before everything else: whatever was recorded lies on top of it
    return Stretch(begin_ns, end_ns, "tracer_gap", Confidence.TRACED, text)


def _flat(stretches: Iterable[Stretch], begin_ns: int, end_ns: int) -> list[Phase]:
    """Cut nested and overlapping stretches into phases: at any moment the one that began last counts.

    But a sleep of unknown reason gives way to whatever it happened in.
    """
    inside = [s for s in stretches if s.begin_ns < end_ns and s.end_ns > begin_ns]
    inside.sort(key=lambda s: (s.begin_ns, -s.end_ns))
    edges = sorted({begin_ns, end_ns, *(max(begin_ns, min(end_ns, at)) for s in inside for at in (s.begin_ns, s.end_ns))})
    active: list[tuple[bool, int, Stretch]] = []
    phases: list[Phase] = []
    taken = 0
    for left, right in pairwise(edges):
        while taken < len(inside) and inside[taken].begin_ns <= left:
            # the later in this order, the further inside
            heappush(active, (inside[taken].cause == "blocked", -taken, inside[taken]))
            taken += 1
        while active and active[0][2].end_ns <= left:
            heappop(active)
        if active:
            s = active[0][2]
            phases.append(Phase(s.cause, left, right, s.confidence, s.evidence, s.event, s.chain, s.by))
        else:
            phases.append(Phase("unexplained", left, right, Confidence.COINCIDED))
    return phases


def _joined(phases: list[Phase]) -> list[Phase]:
    """Neighbours of the same cause, confidence and person become one; the longer one's evidence stands for both."""
    joined: list[Phase] = []
    longest_ns = 0
    for phase in phases:
        last = joined[-1] if joined else None
        if last is not None and (last.cause, last.confidence, last.by) == (phase.cause, phase.confidence, phase.by):
            told = phase if phase.length_ns > longest_ns else last
            longest_ns = max(longest_ns, phase.length_ns)
            joined[-1] = replace(told, begin_ns=last.begin_ns, end_ns=phase.end_ns)
        else:
            joined.append(phase)
            longest_ns = phase.length_ns
    return joined


def _renamed(phases: list[Phase], chosen: Callable[[Phase], Phase]) -> list[Phase]:
    return _joined([chosen(phase) for phase in phases])


def _stolen(phases: list[Phase], circumstances: Circumstances, *, traced: bool) -> list[Phase]:
    """Give the longest open pieces to the hypervisor, as far as the steal counted around the stall goes.

    Where nothing was traced other causes are as likely: then it takes as much steal as the piece is long.
    """
    steal_ns = circumstances.steal_ns
    if not steal_ns:
        return phases
    budget_ns = steal_ns + (STEAL_STEP_NS if traced else 0)
    given: set[int] = set()
    for phase in sorted(phases, key=lambda phase: -phase.length_ns):
        shortest_ns = SHORTEST_STEAL_NS if traced else STEAL_STEP_NS // 2
        if phase.cause in HOST_COULD and shortest_ns <= phase.length_ns <= budget_ns:
            given.add(phase.begin_ns)
            budget_ns -= phase.length_ns
    rest = "nothing else recorded" if traced else "nothing was traced"
    text = f"{format_ns(steal_ns)} stolen from this CPU around that time, and {rest}"

    def chosen(phase: Phase) -> Phase:
        if phase.begin_ns not in given:
            return phase
        return replace(phase, cause="steal", confidence=Confidence.COINCIDED, evidence=text)

    return _renamed(phases, chosen)


def _fetched(phases: list[Phase], write: Write, circumstances: Circumstances) -> list[Phase]:
    """Where everything is traced and yet the writer stood still on its CPU for as long as a fetch of memory takes.

    Only a write that needs new memory and never slept, on a machine whose free memory goes back to its hypervisor.
    """
    host = circumstances.host
    own = [phase for phase in phases if phase.begin_ns >= write.begin_ns]
    if write.write_class is not WriteClass.NEW_PAGE or host is None or not host.reports_free_pages:
        return phases
    if any(_FAMILY[phase.cause] is Family.FILESYSTEM or phase.cause in ("blocked", "run_queue", "idle_exit") for phase in own):
        return phases
    text = "free memory of this machine goes back to its hypervisor (free page reporting)"

    def chosen(phase: Phase) -> Phase:
        fetch = host_memory.SHORTEST_NS <= phase.length_ns <= host_memory.LONGEST_NS and phase.begin_ns >= write.begin_ns
        elsewhere = phase.chain and not host_memory.touches_new_memory(phase.chain)
        if phase.cause != "unexplained" or not fetch or elsewhere:
            return phase
        seen = phase.evidence or "on the CPU, and nothing recorded"
        return replace(phase, cause=host_memory.CAUSE.name, confidence=Confidence.COINCIDED, evidence=f"{seen}; {text}")

    return _renamed(phases, chosen)


def _hinted(phases: list[Phase], write: Write, circumstances: Circumstances) -> list[Phase]:
    """Where a cause cannot be traced here, what counters and neighbours say stands in for it; always "coincided"."""
    hint = _hint(write, circumstances)
    if hint is None:
        return phases
    cause, text = hint
    # what can be traced but for one sleep without an event leaves only that sleep open
    blind = _is_blind(next(known for known in CATALOGUE if known.name == cause), circumstances.tracer)
    open_questions = _OPEN_QUESTIONS if blind else ("blocked",)

    def chosen(phase: Phase) -> Phase:
        if phase.cause in open_questions and phase.begin_ns >= write.begin_ns:
            return replace(phase, cause=cause, confidence=Confidence.COINCIDED, evidence=text)
        return phase

    return _renamed(phases, chosen)


def _hint(write: Write, circumstances: Circumstances) -> tuple[str, str] | None:
    """(cause, evidence) of the likeliest cause that cannot be traced here."""
    blind = {cause.name for cause in blind_causes(circumstances.tracer)}
    throttled = circumstances.counters.get("pgscan_direct_throttle", 0)
    if throttled and write.write_class is WriteClass.NEW_PAGE:
        # the kernel has no event for it, and the sleep may look like any other
        return "reclaim_throttle", f"pgscan_direct_throttle rose by {throttled} around that time"
    dirty, limit, start = circumstances.dirty_pages, circumstances.dirty_limit_pages, circumstances.dirty_background_pages
    if "dirty_throttling" in blind and None not in (dirty, limit, start):
        assert dirty is not None
        assert limit is not None
        assert start is not None
        # throttling begins half way between the background limit and the limit (mm/page-writeback.c dirty_freerun_ceiling)
        if dirty >= DIRTY_NEAR_LIMIT * (limit + start) / 2 and dirty:
            return "dirty_throttling", f"{dirty:,} pages were dirty, throttling begins at {(limit + start) // 2:,}"
    if write.write_class is WriteClass.NEW_PAGE and (found := _risen(blind, circumstances)) is not None:
        return found
    fsync = next((other for other in circumstances.neighbours if other.kind == "fsync"), None)
    journal = {"ext4": "jbd2_transaction", "ext3": "jbd2_transaction", "xfs": "xfs_cil"}.get(circumstances.filesystem or "")
    if fsync is not None and journal in blind:
        return str(journal), f"{fsync.by.comm or 'a neighbour'} ({fsync.by.pid}) was in fsync on this filesystem"
    return None


def _risen(blind: set[str], circumstances: Circumstances) -> tuple[str, str] | None:
    """The blind memory cause whose counters rose; where several did, the one the catalogue lists first."""
    for cause in CATALOGUE:
        if cause.family is Family.MEMORY and cause.name in blind and cause.counters:
            risen = {name: rise for name, rise in circumstances.counters.items() if name.startswith(cause.counters)}
            if risen:
                name = max(risen, key=lambda name: risen[name])
                over = circumstances.counters_over_ns
                within = f" within {format_ns(over)}" if over is not None else ""
                return cause.name, f"{name} of the whole host rose by {risen[name]:,}{within}"
    return None
