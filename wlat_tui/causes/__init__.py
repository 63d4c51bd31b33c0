"""Why a write() was slow: one cause per file, listed here once, and the verdict that is made of them.

Causes are read by the model and drawn by screens; they know frames and evidence only, so a recording of any age is explained
by the causes known today.
"""

from __future__ import annotations

from wlat_tui.causes import (
    block_allocation,
    blocked,
    btrfs,
    compaction,
    deferred_init,
    direct_reclaim,
    dirty_throttling,
    ext4_extent_lock,
    folio_lock,
    frozen,
    hard_irq,
    host_memory,
    idle_exit,
    inode_rwsem,
    io_queue,
    jbd2_buffer,
    jbd2_log_space,
    jbd2_state_lock,
    jbd2_transaction,
    late_timer,
    list_lock,
    lru_lock,
    memcg_high,
    memcg_max,
    migration,
    node_reclaim,
    other_lock,
    page_fault_major,
    page_fault_minor,
    preempted,
    reclaim_throttle,
    rt_throttling,
    run_queue,
    shrinkers,
    soft_irq,
    stable_page,
    steal,
    suspended,
    sync_read,
    tlb_ipi,
    tracer_gap,
    unexplained,
    xarray_lock,
    xfs_cil,
    xfs_ilock,
    xfs_log_grant,
    zone_lock,
)
from wlat_tui.causes.cause import Advice, Blame, Cause, Family
from wlat_tui.causes.circumstances import Circumstances, NodeAround
from wlat_tui.causes.phases import Confidence, Phase, Share, Verdict

CATALOGUE: tuple[Cause, ...] = (
    # finding a free page; node reclaim and throttling before direct reclaim, whose counters rise with theirs
    node_reclaim.CAUSE,
    reclaim_throttle.CAUSE,
    compaction.CAUSE,
    direct_reclaim.CAUSE,
    memcg_high.CAUSE,
    memcg_max.CAUSE,
    shrinkers.CAUSE,
    deferred_init.CAUSE,
    migration.CAUSE,
    page_fault_major.CAUSE,
    page_fault_minor.CAUSE,
    # locks of the allocator and the page cache
    list_lock.CAUSE,
    zone_lock.CAUSE,
    lru_lock.CAUSE,
    xarray_lock.CAUSE,
    jbd2_state_lock.CAUSE,
    other_lock.CAUSE,
    # filesystem and disk
    dirty_throttling.CAUSE,
    folio_lock.CAUSE,
    stable_page.CAUSE,
    jbd2_transaction.CAUSE,
    jbd2_log_space.CAUSE,
    jbd2_buffer.CAUSE,
    ext4_extent_lock.CAUSE,
    xfs_log_grant.CAUSE,
    xfs_cil.CAUSE,
    xfs_ilock.CAUSE,
    btrfs.CAUSE,
    inode_rwsem.CAUSE,
    block_allocation.CAUSE,
    sync_read.CAUSE,
    io_queue.CAUSE,
    frozen.CAUSE,
    # the CPU
    preempted.CAUSE,
    rt_throttling.CAUSE,
    run_queue.CAUSE,
    late_timer.CAUSE,
    idle_exit.CAUSE,
    tlb_ipi.CAUSE,
    soft_irq.CAUSE,
    hard_irq.CAUSE,
    # outside, and not known
    host_memory.CAUSE,
    steal.CAUSE,
    suspended.CAUSE,
    blocked.CAUSE,
    tracer_gap.CAUSE,
    unexplained.CAUSE,
)
"""Every cause, in the order lists show them. Where two signatures fit the same frame, the first one here wins."""

_BY_NAME = {cause.name: cause for cause in CATALOGUE}
COUNTERS: tuple[str, ...] = tuple(sorted({name for cause in CATALOGUE for name in cause.counters}))
"""Beginnings of the /proc/vmstat rows that causes ask for."""


def cause_named(name: str) -> Cause:
    """The cause of this name. Raises KeyError."""
    return _BY_NAME[name]


# the verdict needs the catalogue above
from wlat_tui.causes.verdict import blind_causes, explain  # noqa: E402

__all__ = [
    "CATALOGUE",
    "COUNTERS",
    "Advice",
    "Blame",
    "Cause",
    "Circumstances",
    "Confidence",
    "Family",
    "NodeAround",
    "Phase",
    "Share",
    "Verdict",
    "blind_causes",
    "cause_named",
    "explain",
]
