"""Which cause a chain gives away. Chains as measured on 6.18 (inlined as that compiler does) and in 6.12 and 6.1 guests."""

from __future__ import annotations

import pytest

from tests.causes.makers import MS, a_stall, a_trace, event, known, out
from wlat_tui.causes import CATALOGUE, explain
from wlat_tui.causes.chains import Matcher, plain, plain_chain

SPIN = "native_queued_spin_lock_slowpath.part.0 _raw_spin_lock_irqsave"
SLEEP = "__schedule schedule"

SPINS = {
    "list_lock 6.18": (
        "list_lock",
        "__pv_queued_spin_lock_slowpath _raw_spin_lock_irqsave get_partial_node.part.0 ___slab_alloc __slab_alloc.isra.0 "
        "kmem_cache_alloc_noprof alloc_buffer_head folio_alloc_buffers create_empty_buffers ext4_block_write_begin",
    ),
    "list_lock on freeing": ("list_lock", f"{SPIN} __slab_free kmem_cache_free free_buffer_head try_to_free_buffers"),
    "list_lock behind a barn": (
        "list_lock",
        f"{SPIN} barn_replace_empty_sheaf __pcs_replace_empty_main kmem_cache_alloc_noprof",
    ),
    "list_lock SLAB": ("list_lock", f"{SPIN} cache_alloc_refill kmem_cache_alloc alloc_buffer_head"),
    "zone lock of rmqueue": ("zone_lock", f"{SPIN} __rmqueue_pcplist rmqueue.constprop.0 get_page_from_freelist __alloc_pages"),
    "zone lock inlined": ("zone_lock", f"{SPIN} get_page_from_freelist __alloc_frozen_pages_noprof alloc_pages_mpol"),
    "zone lock on freeing": ("zone_lock", f"{SPIN} free_pcppages_bulk free_unref_folios folios_put_refs"),
    "zone lock for a new slab": (
        "zone_lock",
        f"{SPIN} get_page_from_freelist __alloc_pages allocate_slab new_slab ___slab_alloc kmem_cache_alloc_noprof",
    ),
    "lru lock": ("lru_lock", f"{SPIN} folio_lruvec_lock_irqsave folio_batch_move_lru folio_add_lru filemap_add_folio"),
    "page index": ("xarray_lock", "native_queued_spin_lock_slowpath _raw_spin_lock_irq __filemap_add_folio filemap_add_folio"),
    "journal state": ("jbd2_state_lock", "queued_read_lock_slowpath start_this_handle jbd2__journal_start ext4_dirty_inode"),
    "inode ext4": ("inode_rwsem", "rwsem_down_write_slowpath down_write"),
    "inode btrfs": (
        "inode_rwsem",
        "rwsem_down_write_slowpath down_write btrfs_inode_lock btrfs_buffered_write btrfs_do_write_iter",
    ),
    "ext4 extents": (
        "ext4_extent_lock",
        "rwsem_down_write_slowpath down_write ext4_da_get_block_prep ext4_block_write_begin ext4_da_write_begin",
    ),
    "ext4 size": ("ext4_extent_lock", "rwsem_down_write_slowpath down_write ext4_da_write_end"),
    "xfs ILOCK": (
        "xfs_ilock",
        "rwsem_down_write_slowpath down_write xfs_buffered_write_iomap_begin iomap_iter iomap_file_buffered_write "
        "xfs_file_buffered_write xfs_file_write_iter",
    ),
    "inode xfs": ("inode_rwsem", "rwsem_down_write_slowpath down_write xfs_ilock xfs_file_buffered_write"),
    "unknown": ("other_lock", f"{SPIN} some_driver_write"),
}
SLEEPS = {
    "folio lock 6.18": ("folio_lock", f"{SLEEP} io_schedule __filemap_get_folio_mpol ext4_da_write_begin"),
    "folio lock 6.12": (
        "folio_lock",
        f"{SLEEP} io_schedule folio_wait_bit_common __filemap_get_folio iomap_write_begin iomap_file_buffered_write",
    ),
    "stable page 6.18": ("stable_page", f"{SLEEP} io_schedule folio_wait_writeback __filemap_get_folio ext4_da_write_begin"),
    "stable page 6.12": (
        "stable_page",
        f"{SLEEP} io_schedule folio_wait_bit_common folio_wait_bit folio_wait_writeback folio_wait_stable __filemap_get_folio",
    ),
    "transaction locked": (
        "jbd2_transaction",
        f"{SLEEP} wait_transaction_locked add_transaction_credits start_this_handle jbd2__journal_start ext4_dirty_inode "
        "__mark_inode_dirty generic_update_time file_update_time ext4_write_checks",
    ),
    "log space": (
        "jbd2_log_space",
        f"{SLEEP} io_schedule __wait_on_buffer jbd2_log_do_checkpoint __jbd2_log_wait_for_space add_transaction_credits "
        "start_this_handle",
    ),
    "log space, by another": (
        "jbd2_log_space",
        f"{SLEEP} schedule_preempt_disabled mutex_lock_io __jbd2_log_wait_for_space add_transaction_credits start_this_handle",
    ),
    "buffer under commit": (
        "jbd2_buffer",
        f"{SLEEP} bit_wait_io __wait_on_bit out_of_line_wait_on_bit do_get_write_access jbd2_journal_get_write_access "
        "ext4_reserve_inode_write __ext4_mark_inode_dirty ext4_dirty_inode",
    ),
    "dirty throttling": (
        "dirty_throttling",
        f"{SLEEP} schedule_timeout io_schedule_timeout balance_dirty_pages balance_dirty_pages_ratelimited_flags",
    ),
    "reclaim throttle": ("reclaim_throttle", f"{SLEEP} schedule_timeout reclaim_throttle shrink_node do_try_to_free_pages"),
    "folio lock in reclaim": (
        "direct_reclaim",
        f"{SLEEP} io_schedule folio_wait_bit_common shrink_folio_list do_try_to_free_pages try_to_free_pages "
        "__alloc_pages_slowpath.constprop.0 __alloc_pages_noprof __filemap_get_folio ext4_da_write_begin",
    ),
    "ext4 extents, asleep": (
        "ext4_extent_lock",
        f"{SLEEP} schedule_preempt_disabled rwsem_down_write_slowpath down_write ext4_da_get_block_prep ext4_block_write_begin "
        "ext4_da_write_begin",
    ),
    "xfs log grant": ("xfs_log_grant", f"{SLEEP} xlog_grant_head_wait xlog_grant_head_check xfs_log_reserve xfs_trans_alloc"),
    "xfs iclog": ("xfs_cil", f"{SLEEP} xlog_state_get_iclog_space xlog_write xlog_cil_push_work"),
    "btrfs ordered": ("btrfs", f"{SLEEP} btrfs_start_ordered_extent_nowriteback lock_and_cleanup_extent_if_need"),
    "btrfs reservation": ("btrfs", f"{SLEEP} __reserve_bytes btrfs_reserve_metadata_bytes btrfs_buffered_write"),
    "memory.high": (
        "memcg_high",
        f"{SLEEP} schedule_timeout schedule_timeout_killable __mem_cgroup_handle_over_high mem_cgroup_handle_over_high",
    ),
    "major fault": (
        "page_fault_major",
        f"{SLEEP} io_schedule folio_wait_bit_common filemap_fault __do_fault do_fault __handle_mm_fault handle_mm_fault "
        "do_user_addr_fault exc_page_fault asm_exc_page_fault",
    ),
    "mmap lock": (
        "page_fault_minor",
        f"{SLEEP} rwsem_down_read_slowpath down_read_killable lock_mm_and_find_vma do_user_addr_fault exc_page_fault",
    ),
    "uncached overwrite ext4": (
        "sync_read",
        f"{SLEEP} io_schedule bit_wait_io __wait_on_bit __wait_on_buffer ext4_block_write_begin",
    ),
    "uncached overwrite xfs": ("sync_read", f"{SLEEP} io_schedule folio_wait_bit submit_bio_wait iomap_read_folio_sync"),
    "uncached overwrite xfs 6.18": (
        "sync_read",
        f"{SLEEP} schedule_timeout io_schedule_timeout wait_for_completion_io_timeout submit_bio_wait iomap_read_folio_range "
        "iomap_write_begin iomap_file_buffered_write",
    ),
    "swapped out": (
        "page_fault_major",
        f"{SLEEP} io_schedule folio_wait_bit_common __folio_lock_or_retry do_swap_page __handle_mm_fault handle_mm_fault "
        "exc_page_fault asm_exc_page_fault fault_in_readable fault_in_iov_iter_readable",
    ),
    "migration entry": (
        "migration",
        f"{SLEEP} io_schedule migration_entry_wait_on_locked migration_entry_wait do_swap_page handle_mm_fault exc_page_fault",
    ),
    "stopped": ("suspended", f"{SLEEP} do_signal_stop get_signal arch_do_signal_or_restart exit_to_user_mode_loop"),
    "a sleep nobody knows": ("blocked", f"{SLEEP} some_new_wait"),
}
BOUNDS = {
    "mm_vmscan_direct_reclaim": ("direct_reclaim", "try_to_free_pages __alloc_pages_slowpath.constprop.0 __filemap_get_folio"),
    "mm_vmscan_node_reclaim": ("node_reclaim", "__node_reclaim node_reclaim get_page_from_freelist __alloc_pages_noprof"),
    "mm_compaction": ("compaction", "compact_zone compact_zone_order try_to_compact_pages __alloc_pages_direct_compact"),
}


@pytest.mark.parametrize("case", SPINS)
def test_a_contended_lock_is_named_by_its_chain(case: str) -> None:
    cause, frames = SPINS[case]
    trace = a_trace(event(10, "contention_begin", frames, lock_addr=9), event(3_900, "contention_end", (), lock_addr=9))
    assert explain(a_stall(4 * MS), trace, known()).cause == cause


@pytest.mark.parametrize("case", SLEEPS)
def test_a_sleep_is_named_by_its_chain(case: str) -> None:
    cause, frames = SLEEPS[case]
    trace = a_trace(out(10, frames), event(3_900, "switch_in"))
    assert explain(a_stall(4 * MS), trace, known()).cause == cause


@pytest.mark.parametrize("name", BOUNDS)
def test_two_events_enclose_a_cause(name: str) -> None:
    cause, frames = BOUNDS[name]
    trace = a_trace(event(10, f"{name}_begin", frames), event(3_900, f"{name}_end"))
    assert explain(a_stall(4 * MS), trace, known()).cause == cause


@pytest.mark.parametrize(
    ("cause", "frames"),
    [
        ("memcg_max", "try_to_free_mem_cgroup_pages try_charge_memcg __mem_cgroup_charge filemap_add_folio"),
        ("memcg_high", "try_to_free_mem_cgroup_pages reclaim_high mem_cgroup_handle_over_high syscall_exit_to_user_mode"),
    ],
)
def test_the_limit_and_the_high_mark_of_a_group_share_events_and_are_told_apart_by_the_chain(cause: str, frames: str) -> None:
    trace = a_trace(event(10, "mm_vmscan_memcg_reclaim_begin", frames), event(3_900, "mm_vmscan_memcg_reclaim_end"))
    assert explain(a_stall(4 * MS), trace, known()).cause == cause


def test_compiler_suffixes_are_stripped() -> None:
    assert [plain(name) for name in ("rmqueue.constprop.0", "kmem_cache_alloc_noprof", "foo_noprof.isra.0", "plain")] == [
        "rmqueue",
        "kmem_cache_alloc",
        "foo",
        "plain",
    ]


def test_every_cause_is_whole_and_told_apart() -> None:
    assert len({cause.name for cause in CATALOGUE}) == len({cause.title for cause in CATALOGUE}) == len(CATALOGUE)
    for cause in CATALOGUE:
        assert len(cause.title) <= 22, cause.name
        assert cause.says.endswith("."), cause.name
        assert cause.says[0].isupper() or cause.says.startswith(("write()", "btrfs", "wlat")), cause.name
        assert cause.advise(known()), cause.name


def test_a_chain_without_known_frames_matches_nothing() -> None:
    matcher = Matcher(CATALOGUE)
    for cause in CATALOGUE:
        for signature in cause.signatures:
            for waiting in signature.waiting:
                assert (
                    matcher.match(plain_chain(("some_new_wait", "vfs_write", "ksys_write", "do_syscall_64")), waiting) is None
                )
                assert matcher.match((), waiting) is None
