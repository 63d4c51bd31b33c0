"""jbd2: the running transaction is locked while it commits."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        *remedies.fewer_fsyncs(c),
        remedies.own_filesystem(c, "A filesystem that nobody else syncs has commits only every 5 s"),
    )


CAUSE = Cause(
    name="jbd2_transaction",
    title="journal commit",
    family=Family.FILESYSTEM,
    says="The filesystem's journal was closing a transaction (someone's fsync, or the 5 s commit), and write() "
    "had to wait before it could note the file's new time.",
    signatures=(
        Signature(
            frames(
                "wait_transaction_locked wait_transaction_switching add_transaction_credits __jbd2_journal_start "
                "jbd2_log_wait_commit start_this_handle"
            ),
            waiting=frozenset({Waiting.SLEEP}),
        ),
    ),
    probes=("sched:sched_switch",),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
