"""vm.min_free_kbytes: the reserve everything else is computed from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from wlat_tui.kernel.files import read_text
from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.host_setting import HostSetting
from wlat_tui.mitigations.knob import SysctlKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

CEILING_PCT = 2
"""Of the smallest node's memory; offered and accepted up to here. At 5 % the first large allocation can meet the OOM killer."""
STEP_PCT = 10


class MinFreeKnob(SysctlKnob):
    """Too high kills processes at once (sysctl/vm.rst in the kernel), too fast stalls every allocator (124 ms measured)."""

    def __init__(self) -> None:
        super().__init__("min_free_kbytes", 1024, 1 << 32)

    def refuse(self, value: str, root: Path, original: str) -> str | None:
        if not self.well_formed(value):
            return f"{self.title} takes a whole number of kilobytes"
        if original.isdecimal() and int(value) < int(original):
            return f"{self.title} below {original}, what it was, would take away reserves that drivers count on"
        smallest = smallest_node_kbytes(root)
        if smallest is None:
            return f"{self.title} cannot be judged, because no node says how much memory it has"
        ceiling = smallest * CEILING_PCT // 100
        if int(value) > ceiling:
            return f"{self.title}={value} is over {ceiling} ({CEILING_PCT} % of the smallest node): more invites the OOM killer"
        return None

    def steps(self, value: str, root: Path) -> tuple[str, ...]:
        """A raise goes in steps of 10 %: one jump sends every allocator below min, into direct reclaim. Lowering needs none."""
        now, goal = int(self.read(root) or value), int(value)
        found = []
        while 0 < now < goal:
            now = min(goal, now + max(1, now * STEP_PCT // 100))
            found.append(str(now))
        return tuple(found) or (value,)


def smallest_node_kbytes(root: Path) -> int | None:
    """MemTotal of the smallest node that has memory. Source: nodeN/meminfo, /proc/meminfo where there is no NUMA."""
    texts = [read_text(path) for path in (root / "sys/devices/system/node").glob("node[0-9]*/meminfo")]
    sizes = [int(match[1]) for text in texts if text and (match := re.search(r"MemTotal:\s+([0-9]+) kB", text))]
    if not any(sizes):
        whole = re.search(r"^MemTotal:\s+([0-9]+) kB", read_text(root / "proc/meminfo") or "", re.MULTILINE)
        sizes = [int(whole[1])] if whole else []
    return min((size for size in sizes if size > 0), default=None)


class MinFreeKbytes(HostSetting):
    name = "min_free_kbytes"
    title = "min_free_kbytes"
    why = (
        "Sets min, and through it low and high, of every zone (mm/page_alloc.c __setup_per_zone_wmarks). Between min and low "
        "kswapd works while write() still gets its page; below min write() reclaims by itself. Before 4.6 this was the only "
        "way to widen that room."
    )
    expect = (
        "All three marks move up together: kswapd starts earlier, but the room it has to work in grows only a quarter as fast "
        "as min."
    )
    caution = (
        "Takes memory away from everyone for as long as it is set, and the kernel remembers even after it was put back that "
        "someone chose it (it no longer recomputes it by itself on hot-plug). Raised in steps of 10 %; watermark_scale_factor "
        "is the gentler tool."
    )
    knob = MinFreeKnob()
    typed = "a whole number of kilobytes"

    def choices(self, session: Session) -> tuple[Choice, ...]:
        base = self.original(session) or self.current(session)
        nodes = session.host.nodes if session.host else ()
        totals = [node.total_bytes for node in nodes if node.has_memory and node.total_bytes]
        if base is None or not base.isdecimal():
            return ()
        ceiling = min(totals, default=0) // 1024 * CEILING_PCT // 100
        offered = [(str(int(base) * factor), f"{factor} x what it was") for factor in (2, 4) if int(base) * factor <= ceiling]
        return self.numbers(session, ((base, "as it was"), *offered))
