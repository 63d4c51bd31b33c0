"""How hard a page fault tries for a huge page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.host_setting import HostSetting
from wlat_tui.mitigations.knob import WordKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

FILE = "sys/kernel/mm/transparent_hugepage/defrag"
_LABELS = {
    "always": "reclaim and compact at once, in every fault",
    "defer": "leave it to kswapd and kcompactd",
    "defer+madvise": "at once only where a program asks, else deferred",
    "madvise": "at once only where a program asks",
    "never": "take a huge page only when one is free",
}


class ThpDefrag(HostSetting):
    name = "thp_defrag"
    title = "Huge page effort"
    why = (
        "With 'always', every fault that wants a huge page reclaims and compacts on the spot, competing with the writer for "
        "the zone lock and for free pages. Source: mm/huge_memory.c vma_thp_gfp_mask; 'defer' since 4.6, 'defer+madvise' since "
        "4.11."
    )
    expect = (
        "With defer or never: compact_stall stops rising; fewer zone lock waits in new-page writes while other programs grow."
    )
    caution = "Affects every program on the host."
    knob = WordKnob("thp_defrag", FILE, tuple(_LABELS))
    typed = "one of " + ", ".join(_LABELS)

    def choices(self, session: Session) -> tuple[Choice, ...]:
        return tuple(Choice(word, text, f"write {word} to /{FILE}") for word, text in _LABELS.items())
