"""The mitigations: one file each, listed here once.

A mitigation says what can be switched, why it helps, what to expect, and turns a choice into a request to the source. Host
settings also carry a `Knob`, the part the keeper (root) uses: where it lives, what values are safe, how it is written. Nothing
here draws, and nothing here writes to the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wlat_tui.sources import Request

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


@dataclass(frozen=True, slots=True)
class Choice:
    """One value a mitigation can take."""

    value: str
    label: str
    effect: str
    """What it will do, exactly: the file and the value written, or the call made."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a mitigation cannot be used now, and the exact command that would make it available (None: nothing would)."""

    reason: str
    fix: str | None
    refused: bool = False
    """It was asked for and the kernel refused it; it may be asked for again, or switched off."""


class Knob(Protocol):
    """A kernel setting as the keeper sees it. Values are text as the kernel prints it, stripped."""

    name: str
    title: str
    """What sentences call it: vm.swappiness."""
    touches: tuple[str, ...]
    """Other knobs the kernel may move when this one is written; they are saved and put back with it."""
    shown_only: str | None
    """Why wlat never changes it (one sentence); None: it may."""

    def paths(self, root: Path) -> tuple[Path, ...]:
        """Files that make up this setting (a pair such as dirty_ratio/dirty_bytes is one knob)."""

    def read(self, root: Path) -> str | None:
        """Current value; None when this kernel does not have the setting. Raises OSError naming the file."""

    def well_formed(self, value: str) -> bool:
        """Whether this is a value at all, safe or not: what an original must be to be written back."""

    def refuse(self, value: str, root: Path, original: str) -> str | None:
        """Why this value is not safe here (one sentence), or None when it is. Raises OSError."""

    def steps(self, value: str, root: Path) -> tuple[str, ...]:
        """Values to write in turn to get there (several when one jump would stall allocators). Raises OSError."""

    def write(self, value: str, root: Path) -> None:
        """Write one value. Raises OSError naming the file."""


class Mitigation(Protocol):
    """Something the user can switch on the running host."""

    name: str
    """Stable identifier: marks, recordings and the keeper use it."""
    title: str
    why: str
    """What the kernel does, what it costs, since which version; source named."""
    expect: str
    """What the numbers should do when it is switched."""

    @property
    def caution(self) -> str | None:
        """What it flatters or endangers, None when nothing."""

    @property
    def knob(self) -> Knob | None:
        """None for what only concerns wlat's own writer, and for actions."""

    def choices(self, session: Session) -> tuple[Choice, ...]: ...

    def current(self, session: Session) -> str | None: ...

    def unavailable(self, session: Session) -> Unavailable | None: ...

    def request(self, value: str, session: Session) -> Request:
        """Turn a value (one of the choices, or typed) into a request. Raises ValueError with one sentence."""


def one_line(typed: str) -> str:
    """What was typed, fit to be repeated in a sentence: blanks made single, control characters gone."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in typed).split())


@cache
def catalogue() -> tuple[Mitigation, ...]:
    """Every mitigation, in the order the panel shows them: first the writer itself, then the host, gentlest first."""
    # imported here because these modules need the contract above
    from wlat_tui.mitigations.compaction_proactiveness import CompactionProactiveness
    from wlat_tui.mitigations.dirty_background import DirtyBackground
    from wlat_tui.mitigations.dirty_limit import DirtyLimit
    from wlat_tui.mitigations.dma_latency import DmaLatency
    from wlat_tui.mitigations.drop_caches import DropCaches
    from wlat_tui.mitigations.fifo import Fifo
    from wlat_tui.mitigations.min_free_kbytes import MinFreeKbytes
    from wlat_tui.mitigations.mode import WaitMode
    from wlat_tui.mitigations.pin import Pin
    from wlat_tui.mitigations.policy import MemoryPolicy
    from wlat_tui.mitigations.prewarm import Prewarm
    from wlat_tui.mitigations.stat_interval import StatInterval
    from wlat_tui.mitigations.swappiness import Swappiness
    from wlat_tui.mitigations.thp import Thp
    from wlat_tui.mitigations.thp_defrag import ThpDefrag
    from wlat_tui.mitigations.watermark_scale_factor import WatermarkScaleFactor
    from wlat_tui.mitigations.zone_reclaim_mode import ZoneReclaimMode

    return (
        Pin(),
        MemoryPolicy(),
        Prewarm(),
        Fifo(),
        DmaLatency(),
        WaitMode(),
        ZoneReclaimMode(),
        MinFreeKbytes(),
        WatermarkScaleFactor(),
        Thp(),
        ThpDefrag(),
        CompactionProactiveness(),
        Swappiness(),
        DirtyBackground(),
        DirtyLimit(),
        StatInterval(),
        DropCaches(),
    )


@cache
def knobs() -> Mapping[str, Knob]:
    """Every knob the keeper knows, by name: the closed list of what can be changed on a host."""
    from wlat_tui.listing import FunctionListing

    listing = FunctionListing()  # helps nobody to write faster, but is taken and given back like the others
    return {m.knob.name: m.knob for m in catalogue() if m.knob is not None} | {listing.name: listing}
