"""The timer that wakes the writer fired late, or that is all that can be seen."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (remedies.dma_latency(c), remedies.spin(c), remedies.isolate())


CAUSE = Cause(
    name="late_timer",
    title="late timer",
    family=Family.SCHEDULER,
    says="The writer was asleep and woken late: the CPU slept deeply, had interrupts off, or was not run by the hypervisor.",
    advise=_advise,
)
