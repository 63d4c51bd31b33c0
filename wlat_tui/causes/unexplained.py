"""The rest: what no evidence accounts for."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family
from wlat_tui.causes.circumstances import Circumstances
from wlat_tui.evidence import TraceLevel


def _advise(circumstances: Circumstances) -> tuple[Advice, ...]:
    tracer = circumstances.tracer
    if tracer is None or tracer.level < TraceLevel.FULL:
        why = tracer.why if tracer is not None and tracer.why else "the writer is not traced here"
        fix = tracer.fix if tracer is not None else None
        return (Advice(f"Little can be seen: {why}.", command=fix),)
    if not tracer.deep:
        return (Advice("Switch the deep tier on: it adds interrupts, page faults and more of the filesystem."),)
    return (
        Advice(
            "The kernel recorded no event here; a sample, if one fell into it, says in which function. What is left is work on "
            "the CPU itself, the hypervisor or the firmware; a run with 'mode spin' on an isolated CPU tells whether it comes "
            "without write() too."
        ),
    )


CAUSE = Cause(
    name="unexplained",
    title="unexplained",
    family=Family.UNKNOWN,
    says="Nothing that was recorded or counted accounts for this time.",
    advise=_advise,
    explains=False,
)
