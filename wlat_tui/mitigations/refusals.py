"""What the kernel refused wlat's own writer, in plain words, with the command that helps."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wlat_tui.mitigations import catalogue

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

_UNASKED = {
    "mlock": (
        "memory lock",
        "the engine's memory is not locked (RLIMIT_MEMLOCK is too small), so its own page faults may look like slow writes",
        'echo "$USER - memlock 65536" | sudo tee /etc/security/limits.d/wlat-memlock.conf  # then log in again',
    ),
    "timerslack": ("timer slack", "the writer's timers may fire up to 50 us late (prctl PR_SET_TIMERSLACK)", None),
}
"""What the engine asks for by itself: no mitigation stands for it. Name in WriterTick.refused -> name, meaning, command."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing that was asked for and is not in force."""

    name: str
    reason: str
    fix: str | None


def refusals(session: Session) -> tuple[Refusal, ...]:
    """Everything the engine asked for in vain, the user's wishes first; empty before its first report."""
    tick = session.writer
    if tick is None or not any(tick.refused.values()):
        return ()
    found = []
    for mitigation in catalogue():
        state = mitigation.unavailable(session)
        if state is not None and state.refused:
            found.append(Refusal(mitigation.title, state.reason, state.fix))
    for key, (name, meaning, fix) in _UNASKED.items():
        if number := tick.refused.get(key, 0):
            found.append(Refusal(name, f"{meaning}: {os.strerror(number)}", fix))
    return tuple(found)
