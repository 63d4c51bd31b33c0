"""Stable pages: a page under writeback must not change, so write() waits for the disk."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Blame, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    target = c.host.target if c.host is not None else None
    if target is not None and target.filesystem == "btrfs":
        first = remedies.own_filesystem(
            c, "btrfs always waits for the disk here; ext4 or xfs on a device without checksums do not"
        )
    elif target is not None and target.stable_writes:
        first = Advice(
            f"{target.device} asks for stable pages (checksums, RAID or a network disk): a device without them does not wait."
        )
    else:
        first = Advice("The device or filesystem asks for stable pages.", command="cat /sys/block/*/queue/stable_writes")
    return (first, *remedies.fewer_fsyncs(c))


CAUSE = Cause(
    name="stable_page",
    title="stable page",
    family=Family.FILESYSTEM,
    says="The page being appended to was on its way to a device that forbids changing it meanwhile, so write() "
    "waited for the disk.",
    signatures=(Signature(frames("folio_wait_stable folio_wait_writeback wait_for_stable_page wait_on_page_writeback")),),
    probes=("writeback:folio_wait_writeback", "sched:sched_switch"),
    chains=True,
    blames=(Blame("fsync"),),
    advise=_advise,
)
