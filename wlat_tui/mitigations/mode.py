"""How the writer waits for its next deadline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wlat_tui.frame import Mode
from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.writer_setting import WriterSetting

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class WaitMode(WriterSetting):
    name = "mode"
    title = "Wait mode"
    why = (
        "Sleeping until the deadline costs a timer, an idle CPU and a wake-up: tens of microseconds that are not the write "
        "path's. Spinning asks the clock until it is time (measured wake-to-write p50: 28-40 us asleep, 0.9 us spinning). "
        "Source: clock_nanosleep(2), kernel/time/hrtimer.c."
    )
    expect = "With spin, wake falls under a microsecond and service gets a little faster (warm caches, full clock speed)."
    caution = (
        "Spin takes a whole CPU. With SCHED_FIFO, RT throttling then stops the writer for 50 ms of each second "
        "(kernel.sched_rt_runtime_us=950000)."
    )

    def choices(self, session: Session) -> tuple[Choice, ...]:
        return (
            Choice("sleep", "sleep", "clock_nanosleep() to an absolute CLOCK_MONOTONIC deadline"),
            Choice("spin", "spin", "read the clock in a loop until the deadline"),
        )

    def current(self, session: Session) -> str:
        return session.settings.mode.name.lower()

    def parse(self, value: str, session: Session) -> dict[str, Any]:
        if value.upper() not in Mode.__members__:
            raise ValueError(f"'{value[:40]}' is not a way to wait: give sleep or spin")
        return {"mode": Mode[value.upper()]}
