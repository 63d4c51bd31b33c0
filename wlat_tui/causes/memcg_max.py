"""The control group's memory limit: reclaim inside the group when a page is charged to it."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Pair, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    text = "Raise the limit of the group that wlat runs in, or run the writer in one of its own"
    heads = "; buffer heads count against the group too" if c.filesystem in ("ext4", "ext3", "ext2") else ""
    return (
        Advice(
            f"{text}{heads}. Free memory of the host does not help against a limit.",
            command="systemctl set-property UNIT MemoryMax=infinity",
        ),
        Advice(
            "See how often it struck, and whether memory.low or memory.min protects the group.",
            command="cat /sys/fs/cgroup/GROUP/memory.events",
        ),
        remedies.prewarm(c),
    )


CAUSE = Cause(
    name="memcg_max",
    title="cgroup memory limit",
    family=Family.MEMORY,
    says="The control group had used up its memory limit, so write() had to free some of the group's own pages first.",
    signatures=(
        Signature(
            frames("try_to_free_mem_cgroup_pages try_charge_memcg try_charge"),
            without=frames("reclaim_high mem_cgroup_handle_over_high __mem_cgroup_handle_over_high"),
        ),
    ),
    pairs=(Pair("mm_vmscan_memcg_reclaim_begin", "mm_vmscan_memcg_reclaim_end"),),
    probes=("vmscan:mm_vmscan_memcg_reclaim_begin", "sched:sched_switch"),
    advise=_advise,
)
