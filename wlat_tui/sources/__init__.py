"""Where frames come from. Live, scripted, replayed and remote sources are interchangeable."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the keeper answers requests and knows nothing of frames
    from wlat_tui.frame import Frame, Settings


@dataclass(frozen=True, slots=True)
class SetKnob:
    """Ask the keeper to give a kernel setting this value (``value=None``: give it back its original)."""

    knob: str
    value: str | None


@dataclass(frozen=True, slots=True)
class ChangeSettings:
    """Ask the engine for this state."""

    settings: Settings
    name: str
    """Which mitigation asked, for the mark on the time axis."""
    text: str


@dataclass(frozen=True, slots=True)
class DropCaches:
    """Drop clean page cache once (vm.drop_caches=1). Cannot be undone."""


@dataclass(frozen=True, slots=True)
class ReadZones:
    """Read /proc/zoneinfo in the next frame, on the user's request."""


Request = SetKnob | ChangeSettings | DropCaches | ReadZones


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request, in one sentence."""

    ok: bool
    message: str


class Source(Protocol):
    """A stream of frames in time order, and the one arrow back."""

    description: str
    read_only: str | None
    """Why requests are refused, or None when they are carried out."""
    farewell: str | None
    """What the user must read after the screen is gone: a setting that could not be put back, and the command that does."""

    def frames(self) -> AsyncIterator[Frame]:
        """Yield frames until the source ends or is closed."""

    async def apply(self, request: Request) -> Outcome:
        """Carry a request out. Never raises for a refusal: the outcome says why."""

    async def close(self) -> None:
        """Put everything back and end. Idempotent."""
