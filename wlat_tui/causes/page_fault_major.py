"""A page fault that had to read from disk or swap."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice("Lock the program in memory (mlockall); wlat does, where the limit allows it.", command="ulimit -l unlimited"),
        Advice("Less swapping of programs in favour of file cache.", "swappiness"),
    )


CAUSE = Cause(
    name="page_fault_major",
    title="page fault from disk",
    family=Family.MEMORY,
    says="A page of the program itself had been thrown out of memory and write() waited until it was read back from disk.",
    signatures=(
        Signature(
            frames("filemap_fault do_swap_page swapin_readahead __do_fault swap_read_folio swap_readpage"),
            beside=frames("handle_mm_fault exc_page_fault do_user_addr_fault __handle_mm_fault faultin_page"),
        ),
    ),
    probes=("sched:sched_switch",),
    chains=True,
    advise=_advise,
)
