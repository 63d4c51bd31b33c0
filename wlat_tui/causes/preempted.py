"""Another thread was given the writer's CPU."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        remedies.fifo(c, "ordinary threads can then not take its CPU."),
        remedies.pin(c, "a CPU that runs nothing else preempts nobody"),
        remedies.isolate(),
    )


CAUSE = Cause(
    name="preempted",
    title="preempted",
    family=Family.SCHEDULER,
    says="Another program was given the CPU in the middle of it; write() was ready to go on.",
    probes=("sched:sched_switch", "context_switch"),
    blames=(Blame("preempted"),),
    advise=_advise,
)
