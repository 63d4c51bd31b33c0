"""What the samples say about each NUMA node: watermarks, headroom, state, trend, kswapd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from wlat_tui.frame import Kswapd, NodeShape, Zone

State = Literal["above high", "between", "below low", "below min", "unknown"]


@dataclass(frozen=True, slots=True)
class ZoneState:
    """One populated zone as the last zoneinfo showed it (its age: `NodeState.zones_age_ns`)."""

    zone: Zone
    reserve_pages: int
    """lowmem_reserve an allocation that may use the highest zone has to leave here."""
    headroom_pages: int
    """free - low - reserve."""
    shielded: bool
    """Even if all of it were free, such an allocation could never use it (typical: DMA)."""
    state: State


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node now. ``free_pages`` and what follows from it move every tick; watermarks are as old as ``zones_age_ns``."""

    node: int
    shape: NodeShape | None
    empty: str | None
    """Why there is nothing to watch ("no memory", "all zones empty"); None: there is memory."""
    online: bool
    """False: seen earlier in this session, gone now (values are the last ones)."""
    rows: Mapping[str, int]
    """nodeN/vmstat as printed."""
    rates: Mapping[str, float]
    """The same rows, change per second between the last two samples."""
    zones: tuple[ZoneState, ...]
    """Populated zones, lowest first; no empty ones."""
    zones_age_ns: int | None
    free_pages: int | None
    min_pages: int | None
    low_pages: int | None
    high_pages: int | None
    """Sums over populated zones, boost included as the kernel prints it."""
    promo_pages: int | None
    boost_pages: int | None
    managed_pages: int | None
    headroom_pages: int | None
    """Free now minus what must stay: low (+ lowmem_reserve) of every populated zone. Negative: below low."""
    headroom_exact: bool
    """True with one populated zone: then it is exact every tick; else other zones' part is as old as ``zones_age_ns``."""
    tightest: ZoneState | None
    """The populated, not shielded zone with least headroom."""
    state: State
    trend_pages_per_s: float | None
    trend: int | None
    """-1 falling, 0 steady (within the counters' own drift), 1 rising; None: not known yet."""
    drift_pages: int | None
    """Worst error of ``free_pages`` (per-CPU counters not folded in yet)."""
    kswapd: Kswapd | None
    kswapd_awake: bool | None
    """It is running or waiting in the kernel, or used CPU since the last sample."""
    kswapd_cpu_pct: float | None
    file_pages: int | None
    anon_pages: int | None
    slab_pages: int | None
    dirty_pages: int | None
    writeback_pages: int | None
