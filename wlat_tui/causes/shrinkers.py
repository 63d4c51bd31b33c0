"""Shrinkers: caches of other subsystems that are asked to give memory back."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Pair, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        remedies.prewarm(c),
        remedies.watermark_gap(c),
        Advice("The evidence names the shrinker: a cache that is slow to shrink (inodes, a GPU driver) is better kept small."),
    )


CAUSE = Cause(
    name="shrinkers",
    title="shrinkers",
    family=Family.MEMORY,
    says="While it was short of memory, write() asked other kernel caches (inodes, dentries, drivers) to shrink "
    "and waited for them.",
    signatures=(
        Signature(frames("shrink_slab do_shrink_slab shrink_slab_memcg super_cache_scan prune_dcache_sb prune_icache_sb")),
    ),
    pairs=(Pair("mm_shrink_slab_start", "mm_shrink_slab_end"),),
    probes=("vmscan:mm_shrink_slab_start", "sched:sched_switch"),
    counters=("slabs_scanned",),
    advise=_advise,
)
