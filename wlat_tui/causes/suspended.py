"""The whole engine was stopped, or the machine suspended."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (Advice("Not a stall of write(): whoever stopped the process or the machine knows."),)


CAUSE = Cause(
    name="suspended",
    title="stopped or suspended",
    family=Family.HOST,
    says="wlat itself was stopped (SIGSTOP, a freezer) or the whole machine was suspended.",
    signatures=(
        Signature(
            frames("do_signal_stop get_signal __refrigerator do_freezer_trap ptrace_stop do_jobctl_trap"),
            waiting=frozenset({Waiting.SLEEP}),
        ),
    ),
    advise=_advise,
)
