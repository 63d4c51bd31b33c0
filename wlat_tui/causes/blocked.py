"""The writer slept inside write(), for a reason that is not known here."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    tracer = c.tracer
    if tracer is not None and tracer.fix:
        return (Advice("With more permissions the call chain would tell.", command=tracer.fix),)
    return (Advice("The call chain, where there is one, names the function it slept in."),)


CAUSE = Cause(
    name="blocked",
    title="asleep, reason unknown",
    family=Family.UNKNOWN,
    says="write() slept, but for what is not recorded here, or the call chain is not in the catalogue.",
    explains=False,
    advise=_advise,
)
