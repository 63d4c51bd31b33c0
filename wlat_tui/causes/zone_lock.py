"""zone->lock: the lock of a zone's free lists."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        *remedies.readers(c, ("pagetypeinfo", "zoneinfo", "buddyinfo"), "zone->lock with interrupts off"),
        remedies.prewarm(c),
        Advice(
            "Larger per-CPU lists take the lock more rarely (8 = an eighth of each zone at most).",
            command="sysctl vm.percpu_pagelist_high_fraction=8",
        ),
    )


CAUSE = Cause(
    name="zone_lock",
    title="zone->lock",
    family=Family.LOCK,
    says="write() needed a page from the zone's free lists and spun until another CPU let go of their lock.",
    signatures=(
        Signature(
            frames(
                "rmqueue_bulk __rmqueue_pcplist rmqueue rmqueue_buddy get_page_from_freelist free_pcppages_bulk free_one_page "
                "__free_pages_ok free_unref_page_commit free_frozen_page_commit __free_frozen_pages free_frozen_pages "
                "drain_pages_zone unreserve_highatomic_pageblock reserve_highatomic_pageblock"
            ),
            waiting=frozenset({Waiting.SPIN}),
        ),
    ),
    probes=("lock:contention_begin",),
    chains=True,
    blames=(Blame("read", "pagetypeinfo"), Blame("read", "zoneinfo"), Blame("read", "buddyinfo")),
    advise=_advise,
)
