"""Everything that was read, as named facts: what the details screen and an opened node list. A missing one says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wlat_tui.frame import Precursor, WriteClass
from wlat_tui.model.nodes import NodeState
from wlat_tui.model.session import Session
from wlat_tui.units import format_bytes, format_ns

NO_ZONES = "/proc/zoneinfo was not read yet (z reads it)"
NO_ROW = "this kernel does not print it"
HOST_ONLY = "this kernel counts it for the whole host only"
_COUNTERS = {
    "pgscan_kswapd": "kswapd scanned",
    "pgsteal_kswapd": "kswapd reclaimed",
    "pgscan_direct": "direct scanned",
    "pgsteal_direct": "direct reclaimed",
}
_PLACEMENT = ("numa_hit", "numa_local", "numa_miss", "numa_foreign", "numa_other")
_HOST_COUNTERS = (
    *_COUNTERS,
    "zone_reclaim_success",
    "zone_reclaim_failed",
    "compact_stall",
    "compact_fail",
    "compact_success",
    "numa_miss",
    "numa_foreign",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One value, or why there is none."""

    name: str
    value: str | None
    why: str = NO_ROW
    """Reason, told when ``value`` is None."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that belong together."""

    title: str
    facts: tuple[Fact, ...]


def node_facts(node: NodeState, page_bytes: int | None) -> list[Facts]:
    """Of one node: watermarks (sums over zones), what its pages are used for, reclaim, placement."""

    def size(pages: int | None) -> str | None:
        return None if pages is None or page_bytes is None else format_bytes(pages * page_bytes)

    marks = {"min": node.min_pages, "low": node.low_pages, "high": node.high_pages, "managed": node.managed_pages}
    unread = NO_ZONES if not node.zones else NO_ROW
    drift = size(node.drift_pages)
    return [
        Facts(
            "watermarks",
            (
                Fact("free", size(node.free_pages)),
                *(Fact(name, size(pages), unread) for name, pages in marks.items()),
                Fact("boost", size(node.boost_pages), unread),
                Fact("promo", size(node.promo_pages), unread),
                Fact("room above low", size(node.headroom_pages), unread),
                Fact("counter drift", None if drift is None else f"±{drift}", unread),
            ),
        ),
        Facts(
            "used for",
            (
                Fact("file", size(node.file_pages)),
                Fact("anon", size(node.anon_pages)),
                Fact("slab", size(node.slab_pages)),
                Fact("dirty", size(node.dirty_pages)),
                Fact("writeback", size(node.writeback_pages)),
            ),
        ),
        Facts("reclaim", (*_kswapd(node), *(_node_rate(node, key, name) for key, name in _COUNTERS.items()))),
        Facts("placement", tuple(_node_rate(node, name, name, NO_ROW) for name in _PLACEMENT)),
    ]


def _kswapd(node: NodeState) -> tuple[Fact, ...]:
    why = "its kswapd was not found"
    if node.kswapd is None:
        return (Fact("kswapd", None, why), Fact("kswapd CPU", None, why))
    state = f"{'awake' if node.kswapd_awake else 'asleep'} ({node.kswapd.state})"
    pct = None if node.kswapd_cpu_pct is None else f"{node.kswapd_cpu_pct:.1f}%"
    return (Fact("kswapd", state), Fact("kswapd CPU", pct, "it takes two readings"))


def _node_rate(node: NodeState, key: str, name: str, why: str = HOST_ONLY) -> Fact:
    if key not in node.rows:
        return Fact(name, None, why)
    rate = node.rates.get(key)
    return Fact(name, None if rate is None else f"{rate:,.0f}/s", "it takes two readings")


def zone_table(node: NodeState, page_bytes: int | None) -> list[tuple[str, ...]]:
    """A heading and a row per populated zone, cells as text."""

    def size(pages: int | None) -> str:
        return format_bytes(None if pages is None or page_bytes is None else pages * page_bytes)

    rows: list[tuple[str, ...]] = [
        ("zone", "free", "min", "low", "high", "promo", "boost", "managed", "protection", "room", "drift")
    ]
    for state in node.zones:
        z = state.zone
        pages = (z.free, z.min, z.low, z.high, z.promo, z.boost, z.managed, state.reserve_pages, state.headroom_pages)
        rows.append((z.name, *(size(count) for count in pages), size(z.drift_pages)))
    return rows


def host_facts(session: Session) -> list[Facts]:
    """Of the whole host: features, reclaim counters, pressure."""
    host = session.host
    late = "the host was not read yet"
    knobs = {name: session.knobs[name].current if name in session.knobs else None for name in ("thp", "thp_defrag")}
    vmstat = session.vmstat
    features = (
        Fact("page size", None if host is None else format_bytes(host.page_bytes), late),
        Fact("THP", knobs["thp"], "this kernel has no transparent huge pages, or it was not read yet"),
        Fact("THP defrag", knobs["thp_defrag"], "this kernel has no transparent huge pages, or it was not read yet"),
        Fact("MGLRU", None if host is None else host.mglru, "not built into this kernel" if host else late),
        Fact("clock source", None if host is None else host.clocksource, late if host is None else NO_ROW),
        Fact("runs as", None if host is None else host.privilege, late),
    )
    counters = [_stalls(vmstat, session.vmstat_rates), *(_counter(vmstat, session.vmstat_rates, n) for n in _HOST_COUNTERS)]
    lines = session.pressure
    no_pressure = "this kernel has no /proc/pressure, or was booted with psi=0"
    pressure = tuple(
        Fact(f"{line.resource} {line.kind}", f"{line.avg10:.1f} {line.avg60:.1f} {line.avg300:.1f}%") for line in lines or ()
    )
    return [
        Facts("this host", features),
        Facts("reclaim, compaction and placement since boot (and per second)", tuple(counters)),
        Facts("pressure: share of time stalled over 10, 60 and 300 s", pressure or (Fact("PSI", None, no_pressure),)),
    ]


def _counter(vmstat: Mapping[str, int] | None, rates: Mapping[str, float], name: str) -> Fact:
    if vmstat is None or name not in vmstat:
        return Fact(name, None, "/proc/vmstat was not read yet" if vmstat is None else NO_ROW)
    return Fact(name, _counted(vmstat[name], rates.get(name)))


def _stalls(vmstat: Mapping[str, int] | None, rates: Mapping[str, float]) -> Fact:
    """allocstall is counted by zone; what matters here is that an allocation had to reclaim by itself."""
    names = [name for name in vmstat or () if name.startswith("allocstall")]
    if vmstat is None or not names:
        return Fact("allocstall", None, "/proc/vmstat was not read yet" if vmstat is None else NO_ROW)
    known = [rate for name in names if (rate := rates.get(name)) is not None]
    return Fact("allocstall", _counted(sum(vmstat[name] for name in names), sum(known) if known else None))


def _counted(count: int, per_s: float | None) -> str:
    return f"{count:,}" if per_s is None else f"{count:,} {per_s:+,.0f}/s"


def writer_facts(session: Session) -> list[Facts]:
    """Of wlat itself: what it writes where, what the precursor did, what was lost, what the monitor costs."""
    tick, host, cost = session.writer, session.host, session.cost
    target = None if host is None else host.target
    if tick is None:
        return [Facts("writer", (Fact("report", None, session.writer_missing or "the engine has not reported yet"),))]
    ahead = tick.precursor
    of = ahead.resident_of_pages
    off = "prewarming is off"
    no_target = "the mount could not be told"
    lost = {name: count for name, count in session.losses.items() if count}
    return [
        Facts(
            "writer",
            (
                Fact("directory", None if target is None else target.directory, no_target),
                Fact("mount options", None if target is None else target.mount_options, no_target),
                Fact("stable writes", None if target is None else _yes(target.stable_writes), no_target),
                Fact("rotational", None if target is None else _yes(target.rotational), no_target),
                Fact("thread", f"{tick.tid}"),
                Fact("segment", f"{tick.segment}, {format_bytes(tick.segment_offset)} of {format_bytes(tick.segment_size)}"),
                Fact("segments held", f"{tick.segments_held}, {format_bytes(tick.disk_bytes)}"),
                *(Fact(kind.name.lower().replace("_", "-"), f"{session.writes[kind]:,}") for kind in WriteClass),
                Fact("slots skipped", f"{session.skipped_slots:,}"),
                Fact("slots in error", f"{session.error_slots:,}"),
                *(Fact(f"lost {name}", f"{count:,}") for name, count in lost.items()),
            ),
        ),
        Facts(
            "precursor",
            (
                Fact("method", ahead.method.name.lower()),
                Fact("CPU, node", None if ahead.cpu is None else f"{ahead.cpu}, {ahead.node}", "it did not run yet"),
                Fact("ahead", format_bytes(ahead.ahead_pages * tick.page_bytes)),
                Fact("came late", f"{ahead.late:,}"),
                Fact("resident", None if not of else f"{100 * (ahead.resident_pages or 0) / of:.0f}% of {of:,} pages", off),
                Fact("on another node", _astray(ahead), off if not of else "the node of no prepared page is known"),
                Fact("worked for", format_ns(ahead.busy_ns)),
            ),
        ),
        Facts(
            "what watching costs",
            (
                Fact("screen", None if cost is None else f"{cost.monitor_cpu_pct:.1f}% CPU", "not measured yet"),
                Fact("engine", None if cost is None else f"{cost.engine_cpu_pct:.1f}% CPU", "not measured yet"),
                Fact("writer", None if cost is None else f"{cost.writer_cpu_pct:.1f}% CPU", "not measured yet"),
                Fact("keeps off CPU", None if cost is None else _kept_off(cost.kept_off_cpus), "not measured yet"),
                Fact("reading /proc", None if cost is None else f"{cost.read_us:,.0f} us per s", "not measured yet"),
                Fact("reading the clock", f"{tick.clock_ns} ns"),
            ),
        ),
    ]


def _astray(ahead: Precursor) -> str | None:
    if ahead.placed_pages is None or ahead.astray_pages is None:
        return None
    return f"{ahead.astray_pages} of {ahead.placed_pages} pages looked at"


def _kept_off(cpus: tuple[int, ...]) -> str:
    return f"{', '.join(map(str, cpus))} (left to the writer)" if cpus else "none"


def _yes(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"
