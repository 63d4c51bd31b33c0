"""The first touch of memory that the hypervisor has to fetch: nothing in this kernel takes part, so no event shows it."""

from __future__ import annotations

from collections.abc import Sequence

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family
from wlat_tui.causes.chains import on_interrupt
from wlat_tui.causes.circumstances import Circumstances

SHORTEST_NS, LONGEST_NS = 50_000, 1_000_000
"""How long one fetch takes: 0.1 to 0.3 ms for 2 MiB were measured. What is longer may be anything."""
_MOVES = ("memcpy", "memmove", "memset", "__memcpy", "__memmove", "__memset")
_FILL = (*_MOVES, "copy_", "_copy_", "clear_", "rep_", "___slab_alloc", "allocate_slab", "setup_object")
_TAKE = frozenset({"__rmqueue_pcplist", "rmqueue_bulk", "get_page_from_freelist"})
"""Functions that fill new memory or string a slab's objects together, and those that take pages from the free lists."""


def touches_new_memory(chain: Sequence[str]) -> bool:
    """Whether a sample (plain, innermost first) was taken where new memory is touched first."""
    return bool(chain) and (chain[0].startswith(_FILL) or not _TAKE.isdisjoint(chain[:2])) and not on_interrupt(chain)


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice(
            "Whoever runs the host can give this machine its memory for good: locked or in huge pages, and a balloon "
            "without free page reporting. No setting in this machine helps."
        ),
        remedies.prewarm(c),
    )


CAUSE = Cause(
    name="host_memory",
    title="memory from the host",
    family=Family.HOST,
    says="write() touched memory that this virtual machine had given back as free, and stood still until the hypervisor had "
    "found some for it again.",
    advise=_advise,
)
