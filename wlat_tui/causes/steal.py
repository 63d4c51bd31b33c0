"""CPU steal: the hypervisor ran something else."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    text = (
        "Ask for a dedicated (pinned) virtual CPU or another host: no setting in this machine helps, and its "
        "kernel is not to blame."
    )
    return (Advice(text),)


CAUSE = Cause(
    name="steal",
    title="steal or host",
    family=Family.HOST,
    says="The hypervisor took the CPU away from this virtual machine; nothing in this kernel was at work.",
    advise=_advise,
)
