"""jbd2: no log space, a checkpoint has to be made first."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    device = c.host.target.device if c.host is not None and c.host.target is not None else "DEVICE"
    return (
        Advice(
            "Give the filesystem a larger journal (it must be unmounted).",
            command=f"tune2fs -O ^has_journal {device} && tune2fs -J size=1024 {device}",
        ),
        *remedies.fewer_fsyncs(c),
    )


CAUSE = Cause(
    name="jbd2_log_space",
    title="journal full",
    family=Family.FILESYSTEM,
    says="The journal had no room left, so write() had to wait until older entries had been written to their places.",
    signatures=(Signature(frames("__jbd2_log_wait_for_space jbd2_log_do_checkpoint")),),
    probes=("sched:sched_switch",),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
