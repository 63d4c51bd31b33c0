"""One stall as plain values, for JSON."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from wlat_tui.causes import Phase
from wlat_tui.model.stalls import Explained

_PHASES = 50


def stall_facts(one: Explained, wall_offset_ns: int) -> dict[str, Any]:
    """Everything known about a stall. Times in nanoseconds, those of phases since the stall's begin.

    Args:
        one: the stall.
        wall_offset_ns: wall clock minus CLOCK_MONOTONIC.
    """
    write, verdict = one.write, one.verdict
    longest = sorted(verdict.phases, key=lambda phase: -phase.length_ns)[:_PHASES]
    suspect = one.suspect
    return {
        "at": datetime.fromtimestamp((write.end_ns + wall_offset_ns) / 1e9, UTC).isoformat(timespec="microseconds"),
        "took_ns": verdict.span_ns,
        "service_ns": write.service_ns,
        "response_ns": write.response_ns,
        "wake_ns": write.wake_ns,
        "class": write.write_class.name.lower(),
        "cpu": write.cpu,
        "segment": write.segment,
        "offset": write.offset,
        "cause": verdict.cause,
        "title": one.cause.title,
        "says": one.cause.says,
        "confidence": verdict.confidence.value,
        "explained_pct": round(verdict.explained_pct, 1),
        "level": verdict.level.name.lower(),
        "lost_records": verdict.lost,
        "shares_ns": {share.cause: share.spent_ns for share in verdict.shares},
        "phases": [_phase(phase, verdict.begin_ns) for phase in sorted(longest, key=lambda phase: phase.begin_ns)],
        "suspect": None if suspect is None else asdict(suspect),
        "neighbours": [asdict(other) for other in one.circumstances.neighbours],
        "advice": [asdict(advice) for advice in one.advice()],
    }


def _phase(phase: Phase, begin_ns: int) -> dict[str, Any]:
    return {
        "cause": phase.cause,
        "from_ns": phase.begin_ns - begin_ns,
        "took_ns": phase.length_ns,
        "confidence": phase.confidence.value,
        "evidence": phase.evidence,
        "chain": list(phase.chain),
    }
