"""The lock of the page being written to, mostly held by its own writeback."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    advice = [
        Advice(
            "Writeback was just submitting the page that is being appended to. Fewer syncs of this file or filesystem help."
        ),
        *remedies.fewer_fsyncs(c),
    ]
    if c.filesystem in ("ext4", "ext3", "ext2"):
        advice.append(remedies.own_filesystem(c, "xfs holds that lock far shorter (1 wait where ext4 had 32)"))
    return tuple(advice)


CAUSE = Cause(
    name="folio_lock",
    title="page lock",
    family=Family.FILESYSTEM,
    says="The page being appended to was locked, because the kernel was just sending it to the disk.",
    signatures=(
        Signature(
            frames(
                "__filemap_get_folio __filemap_get_folio_mpol grab_cache_page_write_begin pagecache_get_page __folio_lock "
                "__lock_page ext4_da_write_begin ext4_write_begin iomap_write_begin iomap_get_folio"
            ),
            beside=frames("io_schedule folio_wait_bit_common __folio_lock __lock_page wait_on_page_bit_common"),
            waiting=frozenset({Waiting.SLEEP}),
        ),
    ),
    probes=("sched:sched_switch",),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
