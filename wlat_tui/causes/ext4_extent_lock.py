"""ext4: i_data_sem, held by writeback while it finds disk blocks for what was written."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice(
            "Write into blocks that exist already: prepared segments instead of appending (a new block is looked for twice, "
            "by write() and by writeback).",
            "prewarm",
            "write",
        ),
        *remedies.fewer_fsyncs(c),
        remedies.own_filesystem(c, "xfs keeps such a lock for a shorter time"),
    )


CAUSE = Cause(
    name="ext4_extent_lock",
    title="ext4 extent lock",
    family=Family.FILESYSTEM,
    says="The map of this file's blocks was locked, mostly by its own writeback, which was finding disk blocks for the data.",
    signatures=(
        Signature(
            frames(
                "ext4_da_get_block_prep ext4_da_map_blocks ext4_insert_delayed_block* ext4_map_blocks ext4_map_query_blocks "
                "ext4_da_write_end ext4_da_do_write_end ext4_update_i_disksize ext4_truncate ext4_ext_truncate"
            ),
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
