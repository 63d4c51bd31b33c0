"""vm.compaction_proactiveness: compacting before anyone asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.host_setting import HostSetting
from wlat_tui.mitigations.knob import SysctlKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class CompactionProactiveness(HostSetting):
    name = "compaction_proactiveness"
    title = "Proactive compaction"
    why = (
        "kcompactd moves pages about in the background to keep large ones free; a page being moved is locked, and a write() to "
        "it waits. Source: mm/compaction.c proactive_compact_node, since 5.9; Documentation/admin-guide/sysctl/vm.rst warns of "
        "latency spikes."
    )
    expect = "0: compact_daemon_* and pgmigrate_* stop rising when nobody asks for large pages."
    caution = "Writing any value but 0, also putting it back, makes every node compact once, right away."
    knob = SysctlKnob("compaction_proactiveness", 0, 100)
    typed = "a number from 0 to 100"

    def choices(self, session: Session) -> tuple[Choice, ...]:
        return self.numbers(session, (("0", "off"), ("20", "the default")))
