"""jbd2: the buffer of the inode belongs to the committing transaction."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        *remedies.fewer_fsyncs(c),
        Advice(
            "Sixteen inodes share a block: an fsync of a neighbour's file strikes here too. A filesystem of its own ends that."
        ),
    )


CAUSE = Cause(
    name="jbd2_buffer",
    title="journal buffer",
    family=Family.FILESYSTEM,
    says="The block with this file's inode was part of a transaction being written, so write() waited before it "
    "could change it again.",
    signatures=(Signature(frames("do_get_write_access jbd2_journal_get_write_access"), waiting=frozenset({Waiting.SLEEP})),),
    probes=("jbd2:jbd2_lock_buffer_stall", "sched:sched_switch"),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
