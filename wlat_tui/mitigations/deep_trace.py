"""How closely stalls are looked at: mitigates nothing, is not in the catalogue, but is chosen and taken back the same way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wlat_tui.listing import COST, NAME, OFF
from wlat_tui.mitigations import Choice, Unavailable, one_line
from wlat_tui.sources import ChangeSettings, Request, SetKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class DeepTrace:
    name = "deep_trace"
    title = "Deep trace"
    why = (
        "Stalls are always explained by events that cost next to nothing. Deep events add what happens too often for that: "
        "page and slab allocations, timer and call interrupts, TLB flushes, journal handles. Functions lists the calls of the "
        "worst write of each moment with the time of each, from a private trace instance limited to the writer and some forty "
        "functions."
    )
    expect = "The next stalls are told in more detail (5, then Enter). Take it back when they have happened."
    caution = (
        f"Deep events: each page the writer allocates costs some microseconds more ('wlat bench tracer'). Functions: {COST}. "
        "Removed when switched off, at the end, and after a kill by the next start or 'wlat restore'."
    )
    knob = None

    def choices(self, session: Session) -> tuple[Choice, ...]:
        tid = session.writer.tid if session.writer else None
        listing = f"make the trace instance 'wlat', limited to thread {tid}" if tid else "list the writer's functions"
        return (
            Choice("off", "as always", "no deep events, no listing"),
            Choice("events", "deep events", "open the deep events of the writer's CPUs"),
            Choice("functions", "function listing", listing),
        )

    def current(self, session: Session) -> str | None:
        state = session.knobs.get(NAME)
        if state is not None and state.current not in (None, OFF):
            return "functions"
        return "events" if session.settings.deep_trace else "off"

    def unavailable(self, session: Session) -> Unavailable | None:
        """Deep events can be asked for whatever the keeper may do; what it refuses it says."""
        return None

    def request(self, value: str, session: Session) -> Request:
        value, now = one_line(value), self.current(session)
        if value not in ("off", "events", "functions"):
            raise ValueError(f"'{value[:40]}' is not one of off, events and functions")
        if value == "functions":
            if session.writer is None:
                raise ValueError("there is no writer whose functions could be listed")
            return SetKnob(NAME, str(session.writer.tid))
        if now == "functions":
            return SetKnob(NAME, None)
        settings = replace(session.settings, deep_trace=value == "events")
        return ChangeSettings(settings, self.name, f"{self.title}: {now} -> {value}")
