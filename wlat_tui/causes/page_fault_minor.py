"""A page fault on the writer's own memory, without disk."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice(
            "Lock and touch the program's memory before it starts (mlockall); wlat does, where the limit allows it.",
            command="ulimit -l unlimited",
        ),
        Advice("NUMA balancing unmaps pages to see who uses them.", command="sysctl kernel.numa_balancing=0"),
    )


CAUSE = Cause(
    name="page_fault_minor",
    title="page fault",
    family=Family.MEMORY,
    says="The writer touched memory of its own that was not mapped (yet, or any more), and waited while it was.",
    signatures=(
        Signature(
            frames(
                "handle_mm_fault exc_page_fault do_user_addr_fault lock_mm_and_find_vma lock_vma_under_rcu "
                "fault_in_iov_iter_readable fault_in_readable"
            ),
        ),
    ),
    probes=("sched:sched_switch", "exceptions:page_fault_user", "exceptions:page_fault_kernel"),
    chains=True,
    advise=_advise,
)
