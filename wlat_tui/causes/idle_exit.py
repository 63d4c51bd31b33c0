"""From the wake-up until the idle CPU ran the writer."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (remedies.dma_latency(c), remedies.spin(c))


CAUSE = Cause(
    name="idle_exit",
    title="idle CPU woke slowly",
    family=Family.SCHEDULER,
    says="The writer was woken in time, but its idle CPU took that long to leave its sleep state and run it.",
    probes=("sched:sched_waking",),
    advise=_advise,
)
