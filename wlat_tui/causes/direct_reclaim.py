"""Direct reclaim: the allocator was out of pages, so write() freed some itself."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Pair, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        remedies.prewarm(c),
        remedies.watermark_gap(c),
        remedies.fifo(c, "real-time threads may use half of the reserve below min before they must reclaim."),
        *remedies.other_node(c),
        Advice(
            "Bound who fills the page cache: a memory limit on the copying or streaming job keeps it off this node's pages."
        ),
    )


CAUSE = Cause(
    name="direct_reclaim",
    title="direct reclaim",
    family=Family.MEMORY,
    says="Free memory was so short that write() had to take pages back from others before it got its own.",
    signatures=(Signature(frames("try_to_free_pages __alloc_pages_direct_reclaim __perform_reclaim do_try_to_free_pages")),),
    pairs=(Pair("mm_vmscan_direct_reclaim_begin", "mm_vmscan_direct_reclaim_end"),),
    probes=("vmscan:mm_vmscan_direct_reclaim_begin", "sched:sched_switch"),
    counters=("allocstall", "pgscan_direct"),
    advise=_advise,
)
