"""Reclaim throttling: too little could be reclaimed, so the allocating task is made to wait."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        remedies.prewarm(c),
        remedies.watermark_gap(c),
        Advice("Reclaim waits for writeback: begin write-out earlier, so that pages can be taken back.", "dirty_background"),
        *remedies.other_node(c),
    )


CAUSE = Cause(
    name="reclaim_throttle",
    title="reclaim throttled",
    family=Family.MEMORY,
    says="Memory could not be taken back fast enough, so the kernel put write() to sleep until others had freed some.",
    # throttle_direct_reclaim waits on pfmemalloc_wait and has no event; reclaim_throttle has mm_vmscan_throttled (5.16)
    signatures=(Signature(frames("reclaim_throttle throttle_direct_reclaim wait_iff_congested congestion_wait")),),
    probes=("vmscan:mm_vmscan_throttled", "sched:sched_switch"),
    counters=("pgscan_direct_throttle",),
    advise=_advise,
)
