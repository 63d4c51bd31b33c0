"""What an exporter is given, and what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from wlat_tui.frame import Frame
from wlat_tui.sessions.recording import Recording

_Item = TypeVar("_Item")


class NotInstalled(Exception):
    """A format needs a package that is not there. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Job:
    """One span of one recording, on its way out."""

    recording: Recording
    first: int
    end: int
    """Frames from the first to before this one."""
    table: str
    """For formats that hold one table."""
    every_ns: int
    """For formats that hold a sample now and then."""
    watch: Callable[[Iterable[Any], int], Iterable[Any]]
    """Shows progress: (things, how many there will be) -> the same things."""

    def frames(self) -> Iterator[Frame]:
        """The frames; the first is complete (it brings the host and whatever else was read before)."""
        return iter(self.watch(self._frames(), self.end - self.first))

    def _frames(self) -> Iterator[Frame]:
        if self.end > self.first:
            yield self.recording.known_at(self.first)
            yield from self.recording.frames(self.first + 1, self.end)


@dataclass(frozen=True, slots=True)
class Exporter:
    """One format."""

    name: str
    says: str
    """A few words for ``--help``."""
    write: Callable[[Job, BinaryIO], None]
    """May raise NotInstalled, before anything is written. Memory does not grow with the length of the recording."""
    binary: bool = False
    """Not for a terminal."""
