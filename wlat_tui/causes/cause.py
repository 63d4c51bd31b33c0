"""What a cause of a stall is: how it is recognised, what it means, and what would help.

Nothing here reads a kernel file or a clock: causes see recordings and live runs alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wlat_tui.causes.circumstances import Circumstances


class Family(StrEnum):
    """Causes that share a colour and, mostly, a remedy."""

    MEMORY = "memory"
    """Finding a free page: reclaim, compaction, limits of a control group."""
    LOCK = "lock"
    """Spinning for a lock of the allocator or the page cache."""
    FILESYSTEM = "filesystem"
    """Journal, inode, writeback."""
    SCHEDULER = "scheduler"
    """Something else ran on the writer's CPU, or the writer was woken late."""
    INTERRUPT = "interrupt"
    HOST = "host"
    """Outside this kernel: hypervisor, firmware, suspend."""
    UNKNOWN = "unknown"


class Waiting(StrEnum):
    """What the writer was doing when an event was recorded."""

    SLEEP = "slept"
    SPIN = "contended"
    """Between contention_begin and contention_end: spinning, or a sleeping lock that is about to sleep."""
    POINT = "was seen"
    """An event without a length of its own."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A set of kernel functions that gives a cause away.

    Compilers inline, so this matches sets and never a whole chain. The innermost anchor of all causes wins. Names are spelled
    without suffixes (``.isra.0``, ``_noprof``); a trailing ``*`` stands for any rest.
    """

    anchors: frozenset[str]
    """Any one of these must be on the chain; the place of the innermost counts."""
    beside: frozenset[str] = frozenset()
    """At least one of these must be on the chain as well; empty: nothing more is asked."""
    without: frozenset[str] = frozenset()
    """None of these may be on the chain."""
    waiting: frozenset[Waiting] = frozenset(Waiting)
    """Kinds of events it is valid for."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two events that enclose the cause's time, or one event that tells a length in a field of its own."""

    begin: str
    end: str


@dataclass(frozen=True, slots=True)
class Blame:
    """Which disturbances of others go with a cause."""

    kind: str
    """`Disturbance.kind`."""
    what: str = ""
    """Part of `Disturbance.what` that must be there; empty: any."""


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing that would help, for this host as it is now."""

    text: str
    """One or two sentences."""
    mitigation: str | None = None
    """Name of the mitigation in wlat that does it (`wlat_tui.mitigations`); None: wlat has no switch for it."""
    value: str | None = None
    """What to set that mitigation to; None: look and choose."""
    command: str | None = None
    """What to type in a root shell, when wlat has no switch for it."""
    active: bool = False
    """It is in force already; the text says what follows from that."""


def no_advice(_circumstances: Circumstances) -> tuple[Advice, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of a stall. One file of this package each, listed in `wlat_tui.causes.CATALOGUE`."""

    name: str
    """Stable identifier: filters, exports and tests use it."""
    title: str
    """At most 22 characters, for tables."""
    family: Family
    says: str
    """What happened, in plain words, as a whole sentence for someone who knows write() but not the kernel."""
    signatures: tuple[Signature, ...] = ()
    pairs: tuple[Pair, ...] = ()
    probes: tuple[str, ...] = ()
    """Probes (`Probe.name`) any one of which lets it be seen; empty: it is told without the tracer."""
    chains: bool = False
    """Only a call chain tells it from others, so it needs `TraceLevel.CHAINS`."""
    blames: tuple[Blame, ...] = ()
    counters: tuple[str, ...] = ()
    """Beginnings of /proc/vmstat rows that rise with it: a hint ("coincided") where nothing is traced."""
    advise: Callable[[Circumstances], tuple[Advice, ...]] = no_advice
    explains: bool = True
    """False: time of this name does not count as explained (unexplained, tracer gap, asleep for an unknown reason)."""


def frames(names: str) -> frozenset[str]:
    """``"a b*"`` -> the set, for signatures."""
    return frozenset(names.split())
