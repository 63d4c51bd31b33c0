"""Parts of a `Frame` that the keeper makes, apart from the rest: its process is small and stays so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that was done during the session: a mitigation applied, a note, an outside change of a knob."""

    at_ns: int
    kind: str
    """"applied", "restored", "foreign", "note", or "phase" of an experiment (see model/phases.py)."""
    name: str
    before: str | None
    after: str | None
    text: str


@dataclass(frozen=True, slots=True)
class KnobState:
    """One kernel setting as it stands. Values are the kernel's own text, stripped."""

    current: str | None
    original: str | None
    """Value saved before wlat's first write; None: wlat has not touched it."""
    unavailable: str | None = None
    """Why it cannot be changed now (one sentence); None: it can."""
    fix: str | None = None
    """The exact command that would make it available."""
