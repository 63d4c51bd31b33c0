"""jbd2: contention on j_state_lock and friends."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (*remedies.fewer_fsyncs(c), remedies.own_filesystem(c, "Fewer threads on one journal"))


CAUSE = Cause(
    name="jbd2_state_lock",
    title="journal state lock",
    family=Family.LOCK,
    says="Many threads opened or closed journal transactions at once, and write() spun for the journal's own lock.",
    signatures=(
        Signature(
            frames(
                "start_this_handle jbd2_journal_stop jbd2__journal_start jbd2_journal_dirty_metadata "
                "jbd2_journal_get_write_access do_get_write_access add_transaction_credits"
            ),
            waiting=frozenset({Waiting.SPIN}),
        ),
    ),
    probes=("lock:contention_begin",),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
