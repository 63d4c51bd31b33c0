"""Keeping CPUs out of deep sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.writer_setting import WriterSetting

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

LARGEST_US = 2_000_000_000


class DmaLatency(WriterSetting):
    name = "dma_latency"
    title = "CPU sleep limit"
    why = (
        "An idle CPU goes to sleep, and deep sleep takes tens to hundreds of microseconds to leave. Holding "
        "/dev/cpu_dma_latency open with a number of microseconds forbids every idle state that takes longer. Source: "
        "kernel/power/qos.c (system wide; ends when the file is closed)."
    )
    expect = "Shorter wake times, service about as before. Guests without idle states of their own see no difference."
    caution = "It flatters the result unless your machines run like this, and the whole host uses more power while it is held."
    refusals = (("dma_latency", "/dev/cpu_dma_latency cannot be held", "sudo wlat --dma-latency 0"),)

    def choices(self, session: Session) -> tuple[Choice, ...]:
        now = session.settings.dma_latency_us
        known = sorted({0, 20, *([now] if now >= 0 else [])})
        off = Choice("off", "off", "close /dev/cpu_dma_latency")
        labels = {us: f"{us} us at most" if us else "no sleep at all" for us in known}
        return (off, *(Choice(str(us), label, f"hold /dev/cpu_dma_latency open with {us}") for us, label in labels.items()))

    def current(self, session: Session) -> str:
        return "off" if session.settings.dma_latency_us < 0 else str(session.settings.dma_latency_us)

    def parse(self, value: str, session: Session) -> dict[str, Any]:
        if value == "off":
            return {"dma_latency_us": -1}
        if not (value.isascii() and value.isdecimal() and len(value) <= 10 and int(value) <= LARGEST_US):
            raise ValueError(f"'{value[:40]}' is not a latency: give off or a whole number of microseconds, 0 to {LARGEST_US}")
        return {"dma_latency_us": int(value)}
