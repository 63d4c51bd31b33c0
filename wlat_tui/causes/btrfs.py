"""btrfs: ordered extents, extent locks, space reservation, tree locks."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        remedies.own_filesystem(c, "ext4 or xfs: btrfs makes five kernel objects per write and waits for its own writeback"),
    )


CAUSE = Cause(
    name="btrfs",
    title="btrfs",
    family=Family.FILESYSTEM,
    says="btrfs had work on this range under way (copy-on-write, checksums, reservations) and write() had to wait for it.",
    signatures=(
        Signature(
            frames(
                "btrfs_start_ordered_extent* lock_and_cleanup_extent_if_need lock_extent btrfs_lock_extent_bits "
                "__reserve_bytes "
                "btrfs_reserve_metadata_bytes btrfs_delalloc_reserve_metadata btrfs_tree_lock* btrfs_tree_read_lock* "
                "btrfs_search_slot wait_reserve_ticket handle_reserve_ticket btrfs_buffered_write btrfs_file_write_iter "
                "btrfs_do_write_iter start_transaction btrfs_commit_transaction wait_current_trans wait_for_commit"
            ),
            without=frames("folio_wait_writeback btrfs_inode_lock try_to_free_pages"),
        ),
    ),
    probes=("sched:sched_switch", "lock:contention_begin"),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
