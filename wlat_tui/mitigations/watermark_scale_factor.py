"""vm.watermark_scale_factor: the room kswapd has to work in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.host_setting import HostSetting
from wlat_tui.mitigations.knob import SysctlKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class WatermarkScaleFactor(HostSetting):
    name = "watermark_scale_factor"
    title = "Watermark gap"
    why = (
        "The distance from min to low and from low to high, in units of 0.01 % of the zone (10 = 0.1 %). kswapd wakes at low; "
        "if allocations cross the gap before it has freed enough, write() falls below min and reclaims by itself. Source: "
        "mm/page_alloc.c __setup_per_zone_wmarks, since 4.6."
    )
    expect = (
        "low and high move up, min stays. allocstall and kswapd_low_wmark_hit_quickly rise more slowly, worst new-page writes "
        "shrink."
    )
    caution = "Every 100 keeps another 1 % of each zone free (twice that up to high). Writing it also clears watermark boosts."
    knob = SysctlKnob("watermark_scale_factor", 10, 500, advice="beyond it more than a tenth of memory would lie idle")
    typed = "a number from 10 to 500"

    def choices(self, session: Session) -> tuple[Choice, ...]:
        known = (("10", "0.1 %, the default"), ("50", "0.5 %"), ("100", "1 %"), ("200", "2 %"), ("500", "5 %"))
        return self.numbers(session, known)
