"""vm.dirty_background_ratio / _bytes: when writeback begins."""

from __future__ import annotations

from wlat_tui.mitigations.dirty import BACKGROUND, MIB, DirtyPair


class DirtyBackground(DirtyPair):
    name = "dirty_background"
    title = "Dirty background"
    why = (
        "Above this many dirty pages the flusher threads start writing. 10 % of a large machine is many gigabytes, then "
        "written in one long burst that locks pages and journal under the writer. Source: mm/page-writeback.c "
        "domain_dirty_limits; the bytes form since 2.6.29."
    )
    expect = (
        "Lower: shorter and more frequent bursts, nr_dirty stays small, dirty throttling stays away. The disk is never quite "
        "idle."
    )
    caution = (
        "Must stay below the limit, a quarter of it is good. Writing bytes makes the kernel zero the ratio and the reverse: "
        "they are put back together."
    )
    knob = BACKGROUND
    offers = ("ratio 5", "ratio 10", f"bytes {64 * MIB}", f"bytes {256 * MIB}")
