"""What the samples say about each NUMA node: watermarks, headroom, state, trend, kswapd.

Free pages of a node come every tick (nodeN/vmstat); watermarks and free pages of single zones come now and then, as
zoneinfo prints under the zone lock. So nothing here claims to know a zone's free pages at tick rate, except of a sole zone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from wlat_tui.frame import Frame, Host, Kswapd, NodeSample, NodeShape, Zone
from wlat_tui.model.rates import Rates

State = Literal["above high", "between", "below low", "below min", "unknown"]
Watermark = Literal["min", "low", "high"]
_MARKS: tuple[Watermark, ...] = ("min", "low", "high")
TREND_NS = 3_000_000_000
MOST_SAMPLES = 120
"""Kept for a trend at most, whatever their times say: twice as many as the shortest tick (50 ms) makes of it."""


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
    shape: NodeShape | None = None
    empty: str | None = None
    """Why there is nothing to watch ("no memory", "all zones empty"); None: there is memory."""
    online: bool = True
    """False: it was online once and is gone now (values are the last ones)."""
    rows: Mapping[str, int] = field(default_factory=dict)
    """nodeN/vmstat as printed."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """The same rows, change per second between the last two samples."""
    zones: tuple[ZoneState, ...] = ()
    """Populated zones, lowest first; no empty ones."""
    zones_age_ns: int | None = None
    free_pages: int | None = None
    min_pages: int | None = None
    low_pages: int | None = None
    high_pages: int | None = None
    """Sums over populated zones, boost included as the kernel prints it."""
    promo_pages: int | None = None
    boost_pages: int | None = None
    managed_pages: int | None = None
    headroom_pages: int | None = None
    """Free now minus what must stay: low (+ lowmem_reserve) of every populated zone. Negative: below low."""
    headroom_exact: bool = False
    """True with one populated zone: then it is exact every tick; else other zones' part is as old as ``zones_age_ns``."""
    tightest: ZoneState | None = None
    """The populated, not shielded zone with least headroom."""
    state: State = "unknown"
    trend_pages_per_s: float | None = None
    trend: int | None = None
    """-1 falling, 0 steady (within the counters' own drift), 1 rising; None: not known yet."""
    drift_pages: int | None = None
    """Worst error of ``free_pages`` (per-CPU counters not folded in yet)."""
    kswapd: Kswapd | None = None
    kswapd_awake: bool | None = None
    """It is running or waiting in the kernel, or used CPU between the last two readings of it."""
    kswapd_cpu_pct: float | None = None
    file_pages: int | None = None
    anon_pages: int | None = None
    slab_pages: int | None = None
    dirty_pages: int | None = None
    writeback_pages: int | None = None


def populated(zone: Zone) -> bool:
    """Whether the zone has pages the allocator manages: empty zones print watermarks too, and count for nothing."""
    size = zone.managed if zone.managed is not None else zone.present
    return size is None or size > 0


def water_state(free: int, marks: Sequence[int]) -> State:
    """State of *free* against (min, low, high). The kernel lets an allocation pass when free > mark (__zone_watermark_ok)."""
    minimum, low, high = marks
    if free > high:
        return "above high"
    if free > low:
        return "between"
    return "below low" if free > minimum else "below min"


def zone_state(zone: Zone) -> ZoneState:
    """Judge one zone for an allocation that may use the node's highest zone, as page cache may."""
    reserve = zone.protection[-1] if zone.protection else 0
    return ZoneState(
        zone=zone,
        reserve_pages=reserve,
        headroom_pages=zone.free - zone.low - reserve,
        shielded=zone.managed is not None and zone.managed <= zone.low + reserve,
        state=water_state(zone.free, (zone.min, zone.low, zone.high)),
    )


def kept_back_pages(zones: tuple[ZoneState, ...], mark: Watermark) -> int:
    """Pages that must stay free on the node at this mark, by the last zoneinfo.

    The highest zone keeps its mark. A lower one keeps mark + lowmem_reserve, but never more than it has free: what it lacks it
    cannot take from another zone. So node free - kept back is the sum of what each zone can still give, and below zero how far
    the highest zone is under its mark once the others give nothing.
    """
    *lower, highest = zones
    kept = _mark(highest.zone, mark) + highest.reserve_pages
    return kept + sum(min(state.zone.free, _mark(state.zone, mark) + state.reserve_pages) for state in lower)


def _mark(zone: Zone, mark: Watermark) -> int:
    return {"min": zone.min, "low": zone.low, "high": zone.high}[mark]


def _sum(values: Iterable[int | None]) -> int | None:
    """Sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


class _Node:
    """Folds one node's samples."""

    def __init__(self, node: int) -> None:
        self.state = NodeState(node)
        self._zones_at_ns: int | None = None
        self._history: deque[tuple[int, int | None]] = deque(maxlen=MOST_SAMPLES)  # at, free
        self._kswapds: deque[tuple[int, Kswapd]] = deque(maxlen=MOST_SAMPLES)
        self._sampled_ns: int | None = None
        self._sampled: dict[str, Any] = {}
        """Fields of the state that were read in this frame; `settle` puts them in (making a state takes microseconds)."""

    def shape(self, shape: NodeShape | None) -> None:
        self.state = replace(self.state, shape=shape or self.state.shape, online=shape is not None)

    def zones(self, zones: tuple[Zone, ...], at_ns: int) -> None:
        """Take a zoneinfo reading in: sums, tightest zone, drift."""
        states = tuple(zone_state(zone) for zone in zones if populated(zone))
        inside = [state.zone for state in states]
        self._zones_at_ns = at_ns
        self.state = replace(
            self.state,
            zones=states,
            min_pages=_sum(zone.min for zone in inside),
            low_pages=_sum(zone.low for zone in inside),
            high_pages=_sum(zone.high for zone in inside),
            promo_pages=_sum(zone.promo for zone in inside),
            boost_pages=_sum(zone.boost for zone in inside),
            managed_pages=_sum(zone.managed for zone in inside),
            drift_pages=_sum(zone.drift_pages for zone in inside),
            headroom_exact=len(states) == 1,
            tightest=min((s for s in states if not s.shielded), key=lambda s: s.headroom_pages, default=None),
        )

    def sample(self, sample: NodeSample, at_ns: int) -> None:
        """Take a nodeN/vmstat reading in: rates, trend, kswapd."""
        rows = sample.rows
        seconds = 0.0 if self._sampled_ns is None else (at_ns - self._sampled_ns) / 1e9
        free = rows.get("nr_free_pages")
        while self._history and self._history[0][0] < at_ns - TREND_NS:
            self._history.popleft()
        self._history.append((at_ns, free))
        self._follow_kswapd(sample.kswapd, at_ns)
        trend_pages_per_s, trend = self._trend()
        slab = _sum((rows.get("nr_slab_reclaimable"), rows.get("nr_slab_unreclaimable")))
        self._sampled_ns = at_ns
        self._sampled = {
            "online": True,
            "rows": rows,
            "rates": Rates(self._sampled.get("rows", self.state.rows), rows, seconds),
            "trend_pages_per_s": trend_pages_per_s,
            "trend": trend,
            "file_pages": rows.get("nr_file_pages"),
            "anon_pages": rows.get("nr_anon_pages"),
            "slab_pages": slab,
            "dirty_pages": rows.get("nr_dirty"),
            "writeback_pages": rows.get("nr_writeback"),
        }

    def settle(self, now_ns: int) -> None:
        """Put free pages (now) and watermarks (as known) together."""
        state, sampled = self.state, self._sampled
        self._sampled = {}
        free = sampled.get("rows", state.rows).get("nr_free_pages")
        if free is None and state.zones:
            free = sum(zone.zone.free for zone in state.zones)  # no nodeN/vmstat here: as old as zoneinfo
        headroom: int | None = None
        verdict: State = "unknown"
        if free is not None and state.zones:
            headroom = free - kept_back_pages(state.zones, "low")
            marks = tuple(kept_back_pages(state.zones, mark) for mark in _MARKS)
            verdict = water_state(free, marks)
        age = None if self._zones_at_ns is None else now_ns - self._zones_at_ns
        empty = None
        if state.shape is not None and not state.shape.has_memory:
            empty = "no memory on this node"
        elif age is not None and not state.zones:
            empty = "all zones of this node are empty"
        self.state = replace(
            state, free_pages=free, headroom_pages=headroom, state=verdict, zones_age_ns=age, empty=empty, **sampled
        )

    @property
    def seen(self) -> bool:
        """Whether it is there, or was read in this frame."""
        return self.state.online or bool(self._sampled)

    def _trend(self) -> tuple[float | None, int | None]:
        (begin, then), (end, now) = self._history[0], self._history[-1]
        if then is None or now is None or end - begin < TREND_NS // 3:
            return None, None
        change = now - then
        # without a drift bound (no zoneinfo) a change below 0.1 % of the node's free pages counts as steady
        dead_band = self.state.drift_pages if self.state.drift_pages is not None else max(now, then) // 1_000
        return change / ((end - begin) / 1e9), 0 if abs(change) <= dead_band else (1 if change > 0 else -1)

    def _follow_kswapd(self, now: Kswapd | None, at_ns: int) -> None:
        """Take a reading of kswapd in. It comes about once a second: in the ticks between, the last one stands."""
        while self._kswapds and self._kswapds[0][0] < at_ns - TREND_NS:
            self._kswapds.popleft()
        if now is not None:
            awake = self._awake(self.state.kswapd, now)
            self._kswapds.append((at_ns, now))
            self.state = replace(self.state, kswapd=now, kswapd_awake=awake, kswapd_cpu_pct=self._kswapd_pct())
        elif not self._kswapds:
            self.state = replace(self.state, kswapd=None, kswapd_awake=None, kswapd_cpu_pct=None)

    def _kswapd_pct(self) -> float | None:
        (begin, then), (end, now) = self._kswapds[0], self._kswapds[-1]
        if then.pid != now.pid or end <= begin:
            return None
        return 100 * (now.cpu_ns - then.cpu_ns) / (end - begin)

    @staticmethod
    def _awake(before: Kswapd | None, now: Kswapd) -> bool:
        moved = before is not None and before.pid == now.pid and now.cpu_ns > before.cpu_ns
        return moved or now.state in ("R", "D")


class Nodes:
    """Folds frames into `NodeState`, one per node ever seen."""

    def __init__(self) -> None:
        self._nodes: dict[int, _Node] = {}
        self.states: dict[int, NodeState] = {}

    def fold(self, frame: Frame) -> None:
        """Take one frame's nodes, zones and shapes in; sections that were not read leave everything as it was."""
        if frame.host is not None:
            self._shapes(frame.host)
        if frame.zones is not None:
            for number in {zone.node for zone in frame.zones} | self._nodes.keys():
                zones = tuple(zone for zone in frame.zones if zone.node == number)
                self._node(number).zones(zones, frame.end_ns)
        if frame.nodes is not None:
            for sample in frame.nodes:
                self._node(sample.node).sample(sample, frame.end_ns)
            for number in self._nodes.keys() - {sample.node for sample in frame.nodes}:
                node = self._nodes[number]
                if node.state.rows:
                    node.state = replace(node.state, online=False)
        for node in self._nodes.values():
            if node.seen:
                node.settle(frame.end_ns)
        self.states = {number: self._nodes[number].state for number in sorted(self._nodes)}

    def _node(self, number: int) -> _Node:
        return self._nodes.setdefault(number, _Node(number))

    def _shapes(self, host: Host) -> None:
        shapes = {shape.node: shape for shape in host.nodes}
        for number in shapes.keys() | self._nodes.keys():
            self._node(number).shape(shapes.get(number))
