"""What mitigations that change the host have in common: values come from the session's knobs, requests go to the keeper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice, Knob, Unavailable, one_line
from wlat_tui.sources import Request, SetKnob

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class HostSetting:
    """A kernel setting of the whole host. Subclasses give the texts, `knob` and `choices`."""

    name: str
    title: str
    why: str
    expect: str
    caution: str | None = None
    knob: Knob
    typed: str = "a value"
    """What one may type, for the sentence when it was something else."""

    def choices(self, session: Session) -> tuple[Choice, ...]:
        raise NotImplementedError

    def current(self, session: Session) -> str | None:
        state = session.knobs.get(self.knob.name)
        return state.current if state else None

    def original(self, session: Session) -> str | None:
        """The value before wlat's first change; None when wlat has not touched it."""
        state = session.knobs.get(self.knob.name)
        return state.original if state else None

    def unavailable(self, session: Session) -> Unavailable | None:
        state = session.knobs.get(self.knob.name)
        if state is None:
            return Unavailable(f"{self.knob.title} has not been read yet", None)
        return None if state.unavailable is None else Unavailable(state.unavailable, state.fix)

    def request(self, value: str, session: Session) -> Request:
        """``original`` gives the saved value back. Whether a value is safe on this host is judged by the keeper."""
        value = one_line(value)
        return SetKnob(self.knob.name, None if value == "original" else self.parse(value))

    def parse(self, text: str) -> str:
        """What was typed, as the kernel takes it. Raises ValueError with one sentence."""
        if not self.knob.well_formed(text):
            raise ValueError(f"'{text[:40]}' is not a value for {self.knob.title}: give {self.typed}")
        return text

    def numbers(self, session: Session, values: tuple[tuple[str, str], ...]) -> tuple[Choice, ...]:
        """Choices that write a number to /proc/sys/vm, and the original when it is none of them."""
        path = self.knob.title.replace(".", "/")
        known = dict(values)
        extra = dict.fromkeys((self.original(session), self.current(session)))
        for value in extra:
            if value is not None and value not in known:
                known[value] = "as it was" if value == self.original(session) else "as it is"
        ordered = sorted(known.items(), key=lambda item: int(item[0]) if item[0].isdecimal() else 0)
        return tuple(Choice(value, label, f"write {value} to /proc/sys/{path}") for value, label in ordered)
