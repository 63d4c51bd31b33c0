"""Awake, but another thread had the CPU."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        remedies.fifo(c, "it is then run at once when it wakes."),
        remedies.pin(c, "a CPU that runs nothing else is free when the writer wakes"),
        remedies.isolate(),
    )


CAUSE = Cause(
    name="run_queue",
    title="waiting for the CPU",
    family=Family.SCHEDULER,
    says="The writer was awake and ready, but another program still had the CPU.",
    probes=("sched:sched_waking",),
    blames=(
        Blame("preempted"),
        Blame("cpu"),
    ),
    advise=_advise,
)
