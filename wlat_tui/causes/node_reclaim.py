"""Node reclaim (zone_reclaim_mode): reclaim on the local node before another node is tried."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Pair, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    mode = c.knob("zone_reclaim_mode")
    if mode == "0":
        first = Advice(
            "zone_reclaim_mode is 0 by now: someone switched it off after this stall.", "zone_reclaim_mode", active=True
        )
    else:
        known = f" (now {mode})" if mode else ""
        text = f"Switch it off{known}: pages then come from another node without a stall."
        if mode and mode.isdecimal() and c.mglru and int(mode) & 6 != 6:
            text += " With this kernel's multi-generational LRU this mode scans and frees nothing at all."
        if len(c.nodes) == 1:
            text += " With one node it can only hurt."
        first = Advice(text, "zone_reclaim_mode", "0")
    return (first, *remedies.other_node(c), remedies.prewarm(c))


CAUSE = Cause(
    name="node_reclaim",
    title="node reclaim",
    family=Family.MEMORY,
    says="This node was below its low watermark and zone_reclaim_mode made write() clear it up instead of using another node.",
    signatures=(Signature(frames("node_reclaim __node_reclaim zone_reclaim __zone_reclaim")),),
    pairs=(Pair("mm_vmscan_node_reclaim_begin", "mm_vmscan_node_reclaim_end"),),
    probes=("vmscan:mm_vmscan_node_reclaim_begin", "sched:sched_switch"),
    counters=("zone_reclaim_",),
    advise=_advise,
)
