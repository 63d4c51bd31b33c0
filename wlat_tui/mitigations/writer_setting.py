"""What mitigations of wlat's own writer have in common: nothing on the host changes, the engine is asked for another state."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wlat_tui.mitigations import Choice, Unavailable, one_line
from wlat_tui.sources import ChangeSettings, Request

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class WriterSetting:
    """A property of the writer thread. Subclasses give the texts, `choices`, `current` and `parse`."""

    name: str
    title: str
    why: str
    expect: str
    caution: str | None = None
    knob: None = None
    refusals: tuple[tuple[str, str, str | None], ...] = ()
    """(name in WriterTick.refused, what it means, the command that helps)."""

    def choices(self, session: Session) -> tuple[Choice, ...]:
        raise NotImplementedError

    def current(self, session: Session) -> str | None:
        """What was asked for; `unavailable` says when the kernel has refused it."""
        raise NotImplementedError

    def parse(self, value: str, session: Session) -> dict[str, Any]:
        """The fields of Settings that this value changes. Raises ValueError with one sentence."""
        raise NotImplementedError

    def unavailable(self, session: Session) -> Unavailable | None:
        """Why what was asked for is not in force. It may still be switched off, or asked for again."""
        if session.writer is None:
            return None
        for refused, meaning, fix in self.refusals:
            number = session.writer.refused.get(refused, 0)
            if number:
                return Unavailable(f"{meaning}: {os.strerror(number)}", fix, refused=True)
        return None

    def request(self, value: str, session: Session) -> Request:
        value = one_line(value)
        settings = replace(session.settings, **self.parse(value, session))
        return ChangeSettings(settings, self.name, f"{self.title}: {self.current(session)} -> {value}")
