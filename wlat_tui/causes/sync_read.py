"""A write into part of a page that is on disk but not in memory reads it first."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice("Append to new blocks, or write whole pages; an existing file must be in memory before it is overwritten."),
        remedies.prewarm(c),
    )


CAUSE = Cause(
    name="sync_read",
    title="read before write",
    family=Family.FILESYSTEM,
    says="Part of a page was written whose rest was only on disk, so write() had to read it in first.",
    signatures=(
        Signature(
            frames(
                "iomap_read_folio_sync iomap_read_page_sync iomap_read_folio_range "
                "ext4_block_write_begin "
                "__block_write_begin_int prepare_uptodate_page prepare_uptodate_folio iomap_bio_read_folio_range_sync"
            ),
            waiting=frozenset({Waiting.SLEEP}),
        ),
    ),
    probes=("sched:sched_switch",),
    chains=True,
    advise=_advise,
)
