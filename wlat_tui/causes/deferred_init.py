"""Deferred initialisation of struct page: memory that was never used since boot."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice(
            "Touch all memory once before it matters; it happens once per boot.",
            command="head -c $(free -b | awk '/^Mem/{print int($7*0.9)}') /dev/zero | tail",
        ),
    )


CAUSE = Cause(
    name="deferred_init",
    title="first use of memory",
    family=Family.MEMORY,
    says="The kernel had put off preparing this part of memory at boot and did so now, inside write().",
    signatures=(
        Signature(
            frames(
                "deferred_grow_zone _deferred_grow_zone deferred_init_maxorder deferred_init_memmap_chunk deferred_init_pages"
            )
        ),
    ),
    probes=("sched:sched_switch", "lock:contention_begin"),
    chains=True,
    advise=_advise,
)
