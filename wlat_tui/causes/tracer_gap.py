"""The tracer's ring no longer held the beginning of the stall."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family
from wlat_tui.causes.circumstances import Circumstances


def _advise(_circumstances: Circumstances) -> tuple[Advice, ...]:
    return (Advice("Nothing to fix: a later stall of the same kind will tell. Without the deep tier the ring lasts longer."),)


CAUSE = Cause(
    name="tracer_gap",
    title="not recorded",
    family=Family.UNKNOWN,
    says="The trace of this part was overwritten or lost before it could be read, so nothing is known about it.",
    advise=_advise,
    explains=False,
)
