"""list_lock of a slab cache's node: the lock /proc/slabinfo holds while it counts."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    advice = [*remedies.readers(c, ("slabinfo",), "each cache's list_lock with interrupts off"), remedies.prewarm(c)]
    if c.kernel is not None and c.kernel < (6, 10):
        advice.append(Advice("Since Linux 6.10 a reader looks at 10,000 slabs at most; here it walks all partial ones."))
    if c.filesystem in ("ext4", "ext3", "ext2"):
        advice.append(remedies.own_filesystem(c, "xfs needs no buffer heads at all"))
    return tuple(advice)


CAUSE = Cause(
    name="list_lock",
    title="slab list_lock",
    family=Family.LOCK,
    says="write() needed a small kernel object (a buffer head) and spun for the slab cache's lock, which a "
    "reader of /proc/slabinfo holds while it counts.",
    signatures=(
        Signature(
            frames(
                "get_partial_node get_partial ___slab_alloc __slab_alloc cache_alloc_refill cache_grow_begin get_any_partial "
                "deactivate_slab __slab_free put_cpu_partial __put_partials __unfreeze_partials barn_* __refill_objects "
                "refill_objects refill_sheaf free_to_partial_list cache_flusharray"
            ),
            without=frames("get_page_from_freelist __rmqueue_pcplist rmqueue_bulk allocate_slab new_slab"),
            waiting=frozenset({Waiting.SPIN}),
        ),
    ),
    probes=("lock:contention_begin",),
    chains=True,
    blames=(Blame("read", "slabinfo"),),
    advise=_advise,
)
