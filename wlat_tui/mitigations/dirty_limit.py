"""vm.dirty_ratio / dirty_bytes: when writers are held up."""

from __future__ import annotations

from wlat_tui.mitigations.dirty import LIMIT, MIB, DirtyPair


class DirtyLimit(DirtyPair):
    name = "dirty_limit"
    title = "Dirty limit"
    why = (
        "Halfway between the background limit and this one, write() itself is put to sleep until the disk catches up "
        "(balance_dirty_pages; pauses of up to 200 ms, repeated: 20 s seen on a slow disk). Source: mm/page-writeback.c; the "
        "bytes form since 2.6.29."
    )
    expect = (
        "Higher: throttling starts later, if ever. Lower: less unwritten data after a crash, earlier throttling for every "
        "writer of the host."
    )
    caution = (
        "Dirty pages cannot be reclaimed at once: too high makes reclaim slow, too low holds everyone up. Keep it at four "
        "times the background limit."
    )
    knob = LIMIT
    offers = ("ratio 20", "ratio 40", f"bytes {1024 * MIB}", f"bytes {4096 * MIB}")
