"""Transparent huge pages, on or off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.host_setting import HostSetting
from wlat_tui.mitigations.knob import WordKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

FILE = "sys/kernel/mm/transparent_hugepage/enabled"
_LABELS = {"always": "for all anonymous memory", "madvise": "only where a program asks", "never": "off"}


class Thp(HostSetting):
    name = "thp"
    title = "Huge pages"
    why = (
        "Other programs' 2 MiB pages make the kernel compact memory, and khugepaged raises min_free_kbytes and with it every "
        "watermark while they are on. Source: mm/huge_memory.c, mm/khugepaged.c set_recommended_min_free_kbytes, since 2.6.38."
    )
    expect = (
        "With never: less compaction (compact_stall stops), perhaps lower watermarks. Writes of 220 bytes do not use huge "
        "pages themselves."
    )
    caution = (
        "Affects every program on the host; pages already huge stay so. min_free_kbytes may move with it and is put back with "
        "it."
    )
    knob = WordKnob("thp", FILE, tuple(_LABELS), touches=("min_free_kbytes",))
    typed = "always, madvise or never"

    def choices(self, session: Session) -> tuple[Choice, ...]:
        return tuple(Choice(word, text, f"write {word} to /{FILE}") for word, text in _LABELS.items())
