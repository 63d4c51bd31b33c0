"""Direct compaction: moving pages to make larger free blocks."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Pair, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    thp, defrag = c.knob("thp"), c.knob("thp_defrag")
    advice = []
    if thp != "never" and defrag in ("always", None):
        advice.append(
            Advice(
                "Huge pages may be made by compacting on the spot: let that be done in the background.", "thp_defrag", "defer"
            )
        )
    elif defrag is not None:
        advice.append(
            Advice(f"thp_defrag is {defrag}: it was not a huge page of an ordinary program.", "thp_defrag", active=True)
        )
    advice.append(
        Advice(
            "A small write() needs single pages: someone asked for a larger block. Large folios need write sizes above a page."
        )
    )
    return tuple(advice)


CAUSE = Cause(
    name="compaction",
    title="compaction",
    family=Family.MEMORY,
    says="The allocator moved pages about to get several in a row, and write() did that work itself.",
    signatures=(Signature(frames("try_to_compact_pages __alloc_pages_direct_compact compact_zone compact_zone_order")),),
    pairs=(Pair("mm_compaction_begin", "mm_compaction_end"),),
    probes=("compaction:mm_compaction_begin", "sched:sched_switch"),
    counters=("compact_stall",),
    advise=_advise,
)
