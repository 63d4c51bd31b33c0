"""The verdict on one stall: phases that add up to it, with whatever is left over as unexplained."""

from __future__ import annotations

from wlat_tui.causes.cause import Cause
from wlat_tui.causes.circumstances import Circumstances
from wlat_tui.causes.phases import Confidence, Phase, Verdict, bounded, shares_of
from wlat_tui.evidence import StallTrace, TraceLevel, Tracer
from wlat_tui.frame import Write


def explain(write: Write, trace: StallTrace | None, circumstances: Circumstances) -> Verdict:
    """Why a finished write was slow.

    Args:
        write: the stall.
        trace: what the tracer kept of it; None: nothing.
        circumstances: what else was known then.
    """
    phases = [Phase("unexplained", write.begin_ns, write.end_ns, Confidence.COINCIDED)]
    level = TraceLevel.NOTHING if trace is None or circumstances.tracer is None else circumstances.tracer.level
    shares = shares_of(phases, {"unexplained": False})
    return Verdict(
        begin_ns=write.begin_ns,
        end_ns=write.end_ns,
        cause=shares[0].cause,
        confidence=shares[0].confidence,
        phases=bounded(phases),
        shares=shares,
        level=level,
        lost=0 if trace is None else trace.lost,
    )


def blind_causes(tracer: Tracer | None) -> tuple[Cause, ...]:
    """Causes that could not be recognised now, because none of the probes that show them is armed. None: not traced at all."""
    from wlat_tui.causes import CATALOGUE

    level = TraceLevel.NOTHING if tracer is None else tracer.level
    armed = {probe.name for probe in tracer.probes if probe.armed} if tracer is not None else set()
    return tuple(
        cause
        for cause in CATALOGUE
        if (cause.probes and armed.isdisjoint(cause.probes)) or (cause.chains and level < TraceLevel.CHAINS)
    )
