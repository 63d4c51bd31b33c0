"""xfs: no space in the log, the oldest items have to be written first."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Pair, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice("Make the filesystem with a larger log.", command="mkfs.xfs -l size=1g DEVICE"),
        *remedies.fewer_fsyncs(c),
        Advice(
            "A program that can do without a modification time may open by handle (XFS_IOC_OPEN_BY_HANDLE): no transaction."
        ),
    )


CAUSE = Cause(
    name="xfs_log_grant",
    title="xfs log full",
    family=Family.FILESYSTEM,
    says="The journal of xfs had no room left, so write() waited until older entries had been written to their places.",
    signatures=(Signature(frames("xlog_grant_head_wait xlog_grant_head_check xfs_log_reserve xfs_log_regrant")),),
    pairs=(Pair("xfs_log_grant_sleep", "xfs_log_grant_wake"),),
    probes=("xfs:xfs_log_grant_sleep", "sched:sched_switch"),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
