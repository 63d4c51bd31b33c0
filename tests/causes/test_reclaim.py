"""Reclaim that had to wait."""

from __future__ import annotations

from tests.causes.makers import MS, US, a_stall, a_trace, back, event, known, out, waking
from wlat_tui.causes import explain

RECLAIM = (
    "try_to_free_pages __alloc_pages_slowpath.constprop.0 __alloc_frozen_pages_noprof alloc_pages_mpol "
    "folio_alloc_noprof __filemap_get_folio ext4_da_write_begin"
)


def test_throttled_reclaim_is_told_apart_from_reclaim_with_its_reason() -> None:
    """The numbers are those of a kernel 6.12 whose reclaim made no progress among dirty pages."""
    throttle = f"reclaim_throttle do_try_to_free_pages {RECLAIM}"
    trace = a_trace(
        event(500, "mm_vmscan_direct_reclaim_begin", RECLAIM, order=0),
        out(1_000, f"__schedule schedule schedule_timeout {throttle}"),
        waking(4_900),
        back(5_000),
        event(5_000, "mm_vmscan_throttled", throttle, nid=0, usec_timeout=4_000, usec_delayed=4_000, reason=4),
        event(5_600, "mm_vmscan_direct_reclaim_end", (), nr_reclaimed=32),
    )
    verdict = explain(a_stall(6 * MS), trace, known())
    assert verdict.cause == "reclaim_throttle"
    assert ("direct_reclaim", 500) in [(phase.cause, phase.length_ns // US) for phase in verdict.phases]
    assert verdict.main.evidence.endswith("mm_vmscan_throttled 4000 us (NOPROGRESS)")
