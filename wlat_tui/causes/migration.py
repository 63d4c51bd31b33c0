"""A page of the writer was being moved by compaction or NUMA balancing."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    proactive = c.knob("compaction_proactiveness")
    off = proactive == "0"
    text = (
        "Proactive compaction is off already."
        if off
        else "Switch proactive compaction off: the kernel's documentation warns of its latency spikes."
    )
    return (
        Advice(text, "compaction_proactiveness", None if off else "0", active=off),
        Advice("Locked memory is moved as well, unless told otherwise.", command="sysctl vm.compact_unevictable_allowed=0"),
        Advice("NUMA balancing moves pages between nodes.", command="sysctl kernel.numa_balancing=0"),
    )


CAUSE = Cause(
    name="migration",
    title="page being moved",
    family=Family.MEMORY,
    says="A page that write() needed was just being moved by compaction or NUMA balancing, so it waited for that to end.",
    signatures=(
        Signature(
            frames("migration_entry_wait migration_entry_wait_on_locked __migration_entry_wait do_numa_page"),
            waiting=frozenset({Waiting.SLEEP}),
        ),
    ),
    probes=("sched:sched_switch",),
    chains=True,
    advise=_advise,
)
