"""The block device takes no more requests (tags, writeback throttling)."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, Waiting, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (Advice("Give the log a device of its own, or let the heavy writers sync less at once."),)


CAUSE = Cause(
    name="io_queue",
    title="device queue full",
    family=Family.FILESYSTEM,
    says="The device had as many requests as it takes, so write() waited for one to finish.",
    signatures=(
        Signature(
            frames("blk_mq_get_tag rq_qos_wait wbt_wait __rq_qos_throttle __bio_queue_enter blk_queue_enter"),
            waiting=frozenset({Waiting.SLEEP}),
        ),
    ),
    probes=("sched:sched_switch",),
    chains=True,
    blames=(
        Blame("fsync"),
        Blame("dirtied"),
    ),
    advise=_advise,
)
