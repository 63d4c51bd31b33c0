"""vm.stat_interval: how old the counters are. Shown, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.host_setting import HostSetting
from wlat_tui.mitigations.knob import SysctlKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class StatInterval(HostSetting):
    name = "stat_interval"
    title = "Counter interval"
    why = (
        "Each CPU counts free pages on its own and adds them up every so many seconds (mm/vmstat.c vmstat_update). Free pages "
        "shown here are that old at most and that far off (see the drift bound). 1 s by default; TuneD's low-latency profiles "
        "set 10 s."
    )
    expect = "Nothing to expect: it explains why free memory may move in steps."
    caution = None
    knob = SysctlKnob("stat_interval", 0, 0)
    knob.shown_only = "shown only: changing it would change what is being measured"

    def choices(self, session: Session) -> tuple[Choice, ...]:
        return ()

    def parse(self, text: str) -> str:
        raise ValueError("vm.stat_interval is shown only: changing it would change what is being measured")
