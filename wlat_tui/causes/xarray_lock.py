"""The lock of the file's page index (i_pages)."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        remedies.prewarm(c),
        Advice("Writeback of this very file, or another process using it, holds the lock: fewer syncs of this file help."),
    )


CAUSE = Cause(
    name="xarray_lock",
    title="page index lock",
    family=Family.LOCK,
    says="A page had to be entered in the file's own index of pages while another CPU was changing it.",
    signatures=(
        Signature(
            frames(
                "__filemap_add_folio filemap_add_folio __folio_mark_dirty __folio_start_writeback __xa_set_mark "
                "xas_find_marked __filemap_remove_folio filemap_remove_folio __remove_mapping folio_account_dirtied"
            ),
            waiting=frozenset({Waiting.SPIN}),
        ),
    ),
    probes=("lock:contention_begin",),
    chains=True,
    advise=_advise,
)
