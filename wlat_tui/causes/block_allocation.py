"""Allocating disk blocks inside write(): no delayed allocation."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice("Keep a good part of the filesystem free: below 1.5 times the dirty data ext4 stops delaying allocation."),
        Advice("Allocate ahead of the writer.", "prewarm", "fallocate"),
    )


CAUSE = Cause(
    name="block_allocation",
    title="block allocation",
    family=Family.FILESYSTEM,
    says="The disk was nearly full or the filesystem does not delay it, so write() had to find disk blocks itself.",
    signatures=(
        Signature(
            frames(
                "ext4_map_blocks ext4_mb_new_blocks ext4_mb_regular_allocator ext4_mb_load_buddy* ext4_read_block_bitmap* "
                "ext4_wait_block_bitmap xfs_bmapi_write xfs_alloc_vextent*"
            ),
        ),
    ),
    probes=("sched:sched_switch", "lock:contention_begin"),
    chains=True,
    advise=_advise,
)
