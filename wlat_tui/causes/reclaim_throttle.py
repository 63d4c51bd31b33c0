"""Reclaim throttling: too little could be reclaimed, so the allocating task is made to wait."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances
from wlat_tui.evidence import TraceEvent

_THROTTLED_FOR = ("WRITEBACK", "ISOLATED", "NOPROGRESS", "CONGESTED")


def throttled_for(event: TraceEvent) -> str:
    """Why mm_vmscan_throttled happened, as the kernel names it, in brackets; "" where its fields are missing.

    The event has a set of bits in the order of enum vmscan_throttle_state (include/linux/mmzone.h, since 5.16).
    """
    bits = event.numbers.get("reason", 0)
    reasons = [name for i, name in enumerate(_THROTTLED_FOR) if bits >> i & 1]
    return f" ({', '.join(reasons)})" if reasons else ""


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
