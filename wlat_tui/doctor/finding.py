"""What a check of `wlat doctor` finds, and what it is told to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from wlat_tui.kernel import ROOT


class State(StrEnum):
    """How one thing stands here."""

    OK = "ok"
    DEGRADED = "degraded"
    """Works, with less to see or with figures that mean something else."""
    MISSING = "missing"
    """Not there, or not allowed."""
    HAZARD = "hazard"
    """Likely to cause the stalls one is looking for."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``here`` is what it is on this host, ``why`` why it matters, ``fix`` a command to type."""

    name: str
    state: State
    here: str
    why: str
    fix: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined. A ``root`` other than / is a tree of somebody else's files: nothing is tried out then, only read."""

    directory: Path
    root: Path = ROOT

    @property
    def live(self) -> bool:
        return self.root == ROOT


Check = Callable[[Subject], Finding]
"""Looks at one thing. May raise OSError for a file that it may not read: that becomes the finding."""
