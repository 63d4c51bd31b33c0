"""memory.high of a control group: throttled on the way out of write()."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice(
            "Remove memory.high from the group of the writer: unlike a limit it holds everyone up who allocates.",
            command="systemctl set-property UNIT MemoryHigh=infinity",
        ),
        Advice("See how often it struck.", command="grep high /sys/fs/cgroup/GROUP/memory.events"),
    )


CAUSE = Cause(
    name="memcg_high",
    title="cgroup memory.high",
    family=Family.MEMORY,
    says="The control group was above memory.high, so the kernel reclaimed or slept on the way out of write(), "
    "data already copied.",
    signatures=(
        Signature(
            frames(
                "reclaim_high mem_cgroup_handle_over_high __mem_cgroup_handle_over_high "
                "try_to_free_mem_cgroup_pages try_charge_memcg"
            ),
            beside=frames("reclaim_high mem_cgroup_handle_over_high __mem_cgroup_handle_over_high"),
        ),
    ),
    probes=("vmscan:mm_vmscan_memcg_reclaim_begin", "sched:sched_switch"),
    chains=True,
    advise=_advise,
)
