"""Settings that wlat does not hold and that change all the same: an administrator, a tuning daemon, the kernel itself.

What wlat holds is watched by the keeper (holding.py), which must not put back what somebody else has chosen since.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from wlat_tui.knob_state import KnobState, Mark
from wlat_tui.mitigations import knobs


class ChangesElsewhere:
    """Compares one look at the settings with the look before."""

    def __init__(self) -> None:
        self._seen: Mapping[str, KnobState] = {}
        self._earlier: Mapping[str, tuple[str, str]] = {}
        """What had changed at the look before."""

    def marks(self, states: Mapping[str, KnobState], told: Collection[str]) -> list[Mark]:
        """One mark of kind "foreign" per setting that has changed; *told* are those of which the keeper has said something."""
        before = self._seen
        self._seen = {**before, **{name: state for name, state in states.items() if state.current is not None}}
        found = {
            name: (old.current, now.current)
            for name, now in states.items()
            if (old := before.get(name)) is not None and name not in told
            if old.current is not None and now.current is not None and now.current != old.current
            if old.original is None and now.original is None
        }
        # a setting may be read just before the kernel moves it, and the one that it was moved with just after
        recent, self._earlier = {**self._earlier, **found}, found
        at_ns = time.monotonic_ns()
        return [Mark(at_ns, "foreign", name, old, new, _text(name, old, new, recent)) for name, (old, new) in found.items()]


def _text(name: str, old: str, new: str, recent: Mapping[str, tuple[str, str]]) -> str:
    known = knobs()
    text = f"{known[name].title} was changed from {old} to {new} by something other than this wlat"
    for other, (other_old, other_new) in recent.items():
        if name in known[other].touches:
            text += f" (the kernel moves it with {known[other].title}, which went from {other_old} to {other_new})"
    return text
