"""The filesystem is frozen (snapshot, fsfreeze)."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (Advice("A snapshot or backup tool froze the filesystem: keep the log on one that is not snapshotted."),)


CAUSE = Cause(
    name="frozen",
    title="filesystem frozen",
    family=Family.FILESYSTEM,
    says="The whole filesystem was frozen, as for a snapshot, and every write() waited for it to thaw.",
    signatures=(
        Signature(
            frames("percpu_rwsem_wait __percpu_down_read sb_start_write file_start_write"),
            waiting=frozenset({Waiting.SLEEP, Waiting.SPIN}),
        ),
    ),
    probes=("sched:sched_switch",),
    chains=True,
    advise=_advise,
)
