"""xfs: waiting for a log buffer, the list of committed items, or a pinned inode."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        *remedies.fewer_fsyncs(c),
        Advice("More and larger log buffers take more before anyone waits.", command="mount -o logbsize=256k,logbufs=8 ..."),
    )


CAUSE = Cause(
    name="xfs_cil",
    title="xfs log write",
    family=Family.FILESYSTEM,
    says="write() had to note a change in the xfs journal and waited for a log buffer or for an item that was "
    "just being written.",
    signatures=(
        Signature(
            frames(
                "xlog_state_get_iclog_space xlog_wait_on_iclog xlog_wait xfs_log_force xfs_log_force_seq "
                "xlog_cil_push_work xlog_cil_commit "
                "xlog_cil_push_background xlog_cil_force_seq xfs_buf_lock xfs_iunpin_wait __xfs_iunpin_wait xfs_buf_iowait"
            ),
        ),
    ),
    probes=("sched:sched_switch", "lock:contention_begin"),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
