"""balance_dirty_pages: writers are held up when too much of memory is dirty."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances
from wlat_tui.units import format_bytes


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    background, limit = c.knob("dirty_background"), c.knob("dirty_limit")
    page = c.host.page_bytes if c.host is not None else None
    state = ""
    if page and c.dirty_pages is not None and c.dirty_limit_pages is not None:
        state = f" ({format_bytes(c.dirty_pages * page)} dirty, limit {format_bytes(c.dirty_limit_pages * page)})"
    heavy = next((d for d in c.neighbours if d.kind == "dirtied" and not d.own), None)
    advice = [
        Advice(
            f"Begin write-out earlier, so that the limit is not reached{state}; now {background or 'not known'}.",
            "dirty_background",
            "bytes 67108864",
        ),
        Advice(
            f"Or raise the limit itself; now {limit or 'not known'}. It only postpones the wait if the disk is "
            "slower than the writers.",
            "dirty_limit",
        ),
        Advice(
            "A slow disk of another filesystem can use the limit up: give each device a share (/sys/class/bdi/*/max_ratio)."
        ),
    ]
    if heavy is not None:
        who = heavy.by.command or heavy.by.comm or "a process"
        advice.insert(0, Advice(f"{who} ({heavy.by.pid}) dirtied most: slow it down, or let it sync as it goes."))
    return tuple(advice)


CAUSE = Cause(
    name="dirty_throttling",
    title="dirty throttling",
    family=Family.FILESYSTEM,
    says="Too much unwritten data lay in memory, so the kernel put write() to sleep until the disk had caught up.",
    signatures=(
        Signature(frames("balance_dirty_pages balance_dirty_pages_ratelimited_flags balance_dirty_pages_ratelimited")),
    ),
    probes=("writeback:balance_dirty_pages", "sched:sched_switch"),
    chains=True,
    blames=(Blame("dirtied"),),
    advise=_advise,
)
