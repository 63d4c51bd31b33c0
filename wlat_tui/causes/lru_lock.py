"""lru_lock: the lock of the lists that order pages by age."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        remedies.prewarm(c),
        Advice("Stop or slow down what streams through the page cache; in a control group of its own it has lists of its own."),
    )


CAUSE = Cause(
    name="lru_lock",
    title="LRU lock",
    family=Family.LOCK,
    says="A new page had to go on the list that orders pages by age, and another CPU, mostly one that reclaims, held its lock.",
    signatures=(
        Signature(
            frames(
                "folio_lruvec_lock_irqsave folio_lruvec_lock_irq folio_lruvec_lock lock_page_lruvec_irqsave "
                "folio_batch_move_lru __pagevec_lru_add pagevec_lru_move_fn lru_add_drain_cpu folio_add_lru lru_note_cost "
                "isolate_lru_folios folios_put_refs __page_cache_release"
            ),
            waiting=frozenset({Waiting.SPIN}),
        ),
    ),
    probes=("lock:contention_begin",),
    chains=True,
    counters=(),
    advise=_advise,
)
