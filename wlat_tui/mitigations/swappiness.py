"""vm.swappiness: whom reclaim takes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.host_setting import HostSetting
from wlat_tui.mitigations.knob import SysctlKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class Swappiness(HostSetting):
    name = "swappiness"
    title = "Swappiness"
    why = (
        "When memory is short, decides between dropping page cache (your prepared pages among it) and swapping out programs. "
        "Source: mm/vmscan.c get_scan_count; up to 100 everywhere, up to 200 since 5.8."
    )
    expect = (
        "Low: cache is reclaimed first, cheaply while it is clean. High: prepared pages stay longer, programs swap. Nothing "
        "without swap."
    )
    caution = "A low value under lasting pressure drops the programs' own code pages too; watch for major faults."
    knob = SysctlKnob("swappiness", 0, 200)
    typed = "a number from 0 to 100 (200 since Linux 5.8)"

    def choices(self, session: Session) -> tuple[Choice, ...]:
        known = (("0", "swap only as a last resort"), ("10", "cache first"), ("60", "the default"), ("100", "both alike"))
        return self.numbers(session, known)
