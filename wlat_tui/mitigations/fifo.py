"""SCHED_FIFO for the writer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wlat_tui.mitigations import Choice, Unavailable
from wlat_tui.mitigations.writer_setting import WriterSetting

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

HIGHEST_PRIORITY = 50
"""Above it the kernel's own threaded interrupts (50) and watchdogs would wait for us."""


class Fifo(WriterSetting):
    name = "fifo"
    title = "SCHED_FIFO"
    why = (
        "A real-time thread runs before every ordinary one, and the kernel lets it use half of the reserve below the min "
        "watermark before it must reclaim by itself (ALLOC_MIN_RESERVE for rt_or_dl_task; mm/page_alloc.c gfp_to_alloc_flags, "
        "since 6.3; a weaker discount back to 2.6.3x)."
    )
    expect = (
        "Less waking late; while a node is short, fewer direct reclaims in the writer (measured under pressure: 64-73 -> 0, "
        "worst 39 ms -> 1 ms)."
    )
    caution = (
        "It flatters the result: your logger does not run like this. With mode spin, RT throttling takes 50 ms of every second."
    )
    refusals = (
        (
            "fifo",
            "the kernel refuses SCHED_FIFO (it takes CAP_SYS_NICE or an rtprio limit)",
            "sudo wlat --fifo 10",
        ),
    )

    def choices(self, session: Session) -> tuple[Choice, ...]:
        now = session.settings.fifo_priority
        known = sorted({1, 10, HIGHEST_PRIORITY, *([now] if now else [])})
        off = Choice("off", "off", "sched_setscheduler(SCHED_OTHER) for the writer")
        return (off, *(Choice(str(n), f"priority {n}", f"sched_setscheduler(SCHED_FIFO, {n}) for the writer") for n in known))

    def current(self, session: Session) -> str:
        return str(session.settings.fifo_priority or "off")

    def unavailable(self, session: Session) -> Unavailable | None:
        state = super().unavailable(session)
        if state is None or session.host is None or session.host.privilege == "user":
            return state
        # CONFIG_RT_GROUP_SCHED: a new group has no real-time budget, so even root is refused; doctor names the group's file
        reason = "even root is refused: this cgroup has no real-time budget, or the container lacks CAP_SYS_NICE"
        return replace(state, reason=reason, fix="wlat doctor")

    def parse(self, value: str, session: Session) -> dict[str, Any]:
        if value == "off":
            return {"fifo_priority": 0}
        if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= HIGHEST_PRIORITY):
            raise ValueError(f"'{value[:40]}' is not a priority: give off or a number from 1 to {HIGHEST_PRIORITY}")
        return {"fifo_priority": int(value)}
