"""xfs: ILOCK, taken by writeback when it converts extents."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice("Write into extents that are written already: prepared segments instead of appending.", "prewarm", "write"),
        *remedies.fewer_fsyncs(c),
    )


CAUSE = Cause(
    name="xfs_ilock",
    title="xfs inode lock",
    family=Family.FILESYSTEM,
    says="The extent map of this file was locked, mostly by its own writeback, which marks blocks as written.",
    signatures=(
        Signature(
            frames("xfs_buffered_write_iomap_begin xfs_ilock_for_iomap xfs_vn_update_time xfs_bmapi_reserve_delalloc"),
            beside=frames(
                "rwsem_down_write_slowpath rwsem_down_read_slowpath down_write down_read down_write_nested down_read_nested"
            ),
        ),
    ),
    probes=("sched:sched_switch", "lock:contention_begin"),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
