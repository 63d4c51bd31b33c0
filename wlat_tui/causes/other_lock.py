"""A lock that no other cause knows."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (Advice("The call chain shows which lock it was; who held it is not recorded by this kernel."),)


CAUSE = Cause(
    name="other_lock",
    title="another lock",
    family=Family.LOCK,
    says="write() waited for a lock of the kernel that another thread held.",
    probes=("lock:contention_begin",),
    advise=_advise,
)
