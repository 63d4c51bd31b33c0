"""RT throttling or the fair server: real-time threads have 95 % of each second."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family
from wlat_tui.causes.circumstances import Circumstances
from wlat_tui.frame import Mode


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    if c.settings.mode is Mode.SLEEP:
        first = Advice(
            "The writer sleeps between writes already: another real-time thread used the share up.", "mode", active=True
        )
    else:
        first = Advice(
            "Sleep between writes instead of spinning: a real-time writer then stays far below the limit.", "mode", "sleep"
        )
    return (
        first,
        Advice(
            "On a CPU that is isolated for it, and only there, the limit may go.",
            command="sysctl kernel.sched_rt_runtime_us=-1",
        ),
    )


CAUSE = Cause(
    name="rt_throttling",
    title="RT throttling",
    family=Family.SCHEDULER,
    says="A real-time thread may use 95 % of each second; the writer had used up its share and was stopped for the rest.",
    probes=("sched:sched_switch",),
    advise=_advise,
)
