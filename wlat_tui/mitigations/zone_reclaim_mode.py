"""vm.zone_reclaim_mode: reclaim on the node that is short before going to another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.host_setting import HostSetting
from wlat_tui.mitigations.knob import SysctlKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

BITS = (
    (1, "reclaim", "below low, the allocating task reclaims clean unmapped cache of that node before another is tried"),
    (2, "write", "that reclaim may also write out dirty pages"),
    (4, "unmap", "that reclaim may also unmap and swap out pages"),
)
"""(bit, word, meaning). Any of the three switches node reclaim on (node_reclaim_enabled)."""
ALL_BITS = 7


class ZoneReclaimMode(HostSetting):
    name = "zone_reclaim_mode"
    title = "Node reclaim"
    why = (
        "With any bit set, a write() whose node is below its low watermark reclaims pages of that node itself, synchronously, "
        "instead of taking a page from the next node. Source: mm/vmscan.c node_reclaim, called from get_page_from_freelist. Up "
        "to 3.15 switched on at boot on machines with distant nodes; since 3.16 always 0 unless someone sets it (TuneD's "
        "hpc-compute profile does)."
    )
    expect = (
        "0: pages come from another node, no stall (numa_miss rises). Set: zone_reclaim_success/failed rise with the worst "
        "new-page writes."
    )
    caution = (
        "With the multi-generational LRU (see topology or doctor) bits 2 and 4 are both needed: modes 1, 3 and 5 scan and "
        "reclaim nothing, every new page pays for the attempt; only 7 reclaims. On one node it can only hurt."
    )
    knob = SysctlKnob("zone_reclaim_mode", 0, ALL_BITS, advice="the three bits 1, 2 and 4")
    typed = "a number from 0 to 7: the sum of the bits 1 (reclaim), 2 (write), 4 (unmap)"

    def choices(self, session: Session) -> tuple[Choice, ...]:
        return tuple(Choice(str(value), label(value), self._effect(value, session)) for value in range(ALL_BITS + 1))

    def _effect(self, value: int, session: Session) -> str:
        effect = f"write {value} to /proc/sys/vm/zone_reclaim_mode"
        if value and reclaims_nothing(value, session.host.mglru if session.host else None):
            return f"{effect}; with this kernel's LRU it will try and reclaim nothing (bits 2 and 4 are both needed)"
        return effect


def label(value: int) -> str:
    """``3`` -> ``reclaim+write``."""
    return "+".join(word for bit, word, _ in BITS if value & bit) or "off"


def flip(value: str | None, bit: int) -> str | None:
    """The mode with one bit turned over; None when the mode is not known."""
    return None if value is None or not value.isdecimal() else str((int(value) & ALL_BITS) ^ bit)


def reclaims_nothing(value: int, mglru: str | None) -> bool:
    """Whether the multi-generational LRU is on and returns at once for this mode.

    Source: mm/vmscan.c lru_gen_shrink_node, since 6.1: nothing unless may_writepage (2) and may_unmap (4). ``mglru`` is
    /sys/kernel/mm/lru_gen/enabled as printed (bit 0 of the hexadecimal number is the main switch), None: not built.
    """
    try:
        enabled = mglru is not None and bool(int(mglru, 16) & 1)
    except ValueError:
        enabled = False
    return enabled and value & 6 != 6
