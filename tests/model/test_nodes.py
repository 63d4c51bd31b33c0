"""Nodes: headroom per zone with protection, state, trend, and nodes that come and go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.makers import SECOND, a_frame, a_sample, a_zone
from wlat_tui.frame import Host, Kswapd, NodeShape
from wlat_tui.model.nodes import NodeState, kept_back_pages, zone_state
from wlat_tui.model.session import Session


def folded(*frames: dict[str, Any], tick_ns: int = SECOND) -> Session:
    session = Session()
    for i, sections in enumerate(frames):
        session.fold(a_frame(i, None, tick_ns, **sections))
    return session


def only(session: Session) -> NodeState:
    (state,) = session.nodes.values()
    return state


def a_host(*shapes: NodeShape) -> Host:
    return Host("h", "6.12", 4096, (0,), shapes, None, None, None, "root")


@pytest.mark.parametrize(
    ("free", "state"),
    [
        (3_001, "above high"),
        (3_000, "between"),
        (2_001, "between"),
        (2_000, "below low"),
        (1_001, "below low"),
        (1_000, "below min"),
        (0, "below min"),
    ],
)
def test_the_state_of_a_single_zone_node_follows_its_free_pages_every_tick(free: int, state: str) -> None:
    session = folded({"nodes": (a_sample(50_000),), "zones": (a_zone(),)}, {"nodes": (a_sample(free),)})
    assert state == only(session).state
    assert (free - 2_000, True, SECOND) == (
        only(session).headroom_pages,
        only(session).headroom_exact,
        only(session).zones_age_ns,
    )


def test_without_watermarks_the_state_is_unknown_and_headroom_missing() -> None:
    state = only(folded({"nodes": (a_sample(50_000),)}))
    assert (
        state.state,
        state.headroom_pages,
        state.low_pages,
        state.free_pages,
        state.zones_age_ns,
    ) == ("unknown", None, None, 50_000, None)


def test_without_node_vmstat_free_is_what_zoneinfo_said() -> None:
    state = only(folded({"zones": (a_zone(free=700), a_zone("Movable", free=0, managed=0))}))
    assert (state.free_pages, state.state, state.trend) == (700, "below min", None)


def test_empty_zones_count_for_nothing_even_with_watermarks() -> None:
    zones = (a_zone(), a_zone("Movable", free=0, managed=0, marks=(32, 32, 32)))
    state = only(folded({"nodes": (a_sample(50_000),), "zones": zones}))
    assert [zone.zone.name for zone in state.zones] == ["Normal"]
    assert (state.min_pages, state.low_pages, state.high_pages) == (1_000, 2_000, 3_000)


def test_a_node_with_only_empty_zones_says_so() -> None:
    state = only(folded({"nodes": (a_sample(0),), "zones": (a_zone(free=0, managed=0),)}))
    assert (state.empty, state.state, state.low_pages) == ("all zones of this node are empty", "unknown", None)


def test_a_memoryless_node_says_so() -> None:
    state = only(folded({"host": a_host(NodeShape(0, (0,), {0: 10}, 0, False))}))
    assert state.empty == "no memory on this node"


def test_a_shielded_dma_zone_neither_adds_headroom_nor_is_the_tightest() -> None:
    dma = a_zone("DMA", free=3_840, marks=(8, 10, 12), managed=3_840, protection=(0, 2_898, 34_109, 34_109))
    state = only(folded({"nodes": (a_sample(3_840 + 5_000),), "zones": (dma, a_zone(free=5_000))}))
    assert state.headroom_pages == 3_000
    assert state.tightest is not None
    assert state.tightest.zone.name == "Normal"
    assert [zone.shielded for zone in state.zones] == [True, False]
    assert not state.headroom_exact


def test_a_lower_zone_gives_only_what_lies_above_its_protection() -> None:
    dma32 = a_zone("DMA32", free=100_000, marks=(500, 600, 700), managed=700_000, protection=(0, 0, 31_211, 31_211))
    state = only(folded({"nodes": (a_sample(100_000 + 1_500),), "zones": (dma32, a_zone(free=1_500))}))
    assert state.headroom_pages == (100_000 - 600 - 31_211) + (1_500 - 2_000)
    assert state.tightest is not None
    assert state.tightest.headroom_pages == -500


zones = st.lists(
    st.builds(
        lambda free, low, reserve: a_zone(free=free, marks=(low // 2, low, 2 * low), protection=(0, reserve)),
        st.integers(0, 10**7),
        st.integers(0, 10**5),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=5,
)


@settings(deadline=None)
@given(zones)
def test_headroom_is_what_each_zone_can_give_and_a_dry_lower_zone_takes_nothing_from_the_others(given_zones: list[Any]) -> None:
    states = tuple(zone_state(zone) for zone in given_zones)
    free = sum(zone.free for zone in given_zones)
    lower = sum(max(0, state.headroom_pages) for state in states[:-1])
    assert lower + states[-1].headroom_pages == free - kept_back_pages(states, "low")
    assert kept_back_pages(states, "min") <= kept_back_pages(states, "low") <= kept_back_pages(states, "high")


@pytest.mark.parametrize(("step", "trend"), [(-400, -1), (400, 1), (0, 0), (-20, 0), (20, 0)])
def test_the_trend_has_a_dead_band_of_the_counters_drift(step: int, trend: int) -> None:
    frames = [{"nodes": (a_sample(50_000 + i * step),), "zones": (a_zone(drift_pages=100),)} for i in range(5)]
    state = only(folded(*frames))
    assert trend == state.trend
    assert step == state.trend_pages_per_s


def test_one_sample_makes_no_trend() -> None:
    state = only(folded({"nodes": (a_sample(5),)}))
    assert (state.trend, state.trend_pages_per_s) == (None, None)


def test_kswapd_is_awake_when_it_runs_or_used_cpu() -> None:
    def kswapd(state: str, cpu_ns: int) -> dict[str, Any]:
        return {"nodes": (a_sample(5, kswapd=Kswapd(9, state, cpu_ns)),)}

    assert only(folded(kswapd("S", 0), kswapd("S", 0))).kswapd_awake is False
    assert only(folded(kswapd("S", 0), kswapd("R", 0))).kswapd_awake is True
    moved = only(folded(kswapd("S", 0), kswapd("S", SECOND // 4)))
    assert (moved.kswapd_awake, moved.kswapd_cpu_pct) == (True, 25.0)
    assert only(folded({"nodes": (a_sample(5),)})).kswapd_awake is None


def test_kswapd_read_once_a_second_is_known_in_the_ticks_between() -> None:
    def kswapd(cpu_ns: int) -> dict[str, Any]:
        return {"nodes": (a_sample(5, kswapd=Kswapd(9, "S", cpu_ns)),)}

    unread: dict[str, Any] = {"nodes": (a_sample(5),)}
    between = only(folded(kswapd(0), unread, kswapd(SECOND), unread))
    assert (between.kswapd, between.kswapd_awake, between.kswapd_cpu_pct) == (Kswapd(9, "S", SECOND), True, 50.0)
    assert only(folded(kswapd(0), kswapd(SECOND), kswapd(SECOND), unread)).kswapd_awake is False
    lost = only(folded(kswapd(0), kswapd(SECOND), *[unread] * 5))
    assert (lost.kswapd, lost.kswapd_awake, lost.kswapd_cpu_pct) == (None, None, None)


def test_rates_are_per_second_and_only_of_rows_both_samples_have() -> None:
    state = only(folded({"nodes": (a_sample(5, numa_miss=10),)}, {"nodes": (a_sample(5, numa_miss=40, fresh=1),)}))
    assert state.rates["numa_miss"] == 30
    assert "fresh" not in state.rates
    assert dict(state.rates) == {"nr_free_pages": 0.0, "numa_miss": 30.0}


def test_a_node_that_disappears_stays_with_its_last_values_and_comes_back() -> None:
    both = {"nodes": (a_sample(5), a_sample(6, node=3))}
    session = folded(both, {"nodes": (a_sample(5),)})
    assert (session.nodes[3].online, session.nodes[3].free_pages) == (False, 6)
    assert session.nodes[0].online
    session.fold(a_frame(2, None, SECOND, **both))
    assert session.nodes[3].online


def test_a_node_the_host_no_longer_lists_is_offline() -> None:
    shapes = [NodeShape(node, (), {}, 1, True) for node in (0, 1)]
    session = folded({"host": a_host(*shapes)}, {"host": a_host(shapes[0])})
    assert [session.nodes[node].online for node in (0, 1)] == [True, False]


def test_missing_sections_leave_everything_as_it_was_but_older() -> None:
    session = folded({"nodes": (a_sample(5_000),), "zones": (a_zone(),)}, {}, {})
    state = only(session)
    assert (state.free_pages, state.state, state.zones_age_ns, state.online) == (5_000, "above high", 2 * SECOND, True)
    assert state.file_pages is None


def test_free_and_headroom_are_kept_over_time() -> None:
    session = folded({"nodes": (a_sample(50_000),), "zones": (a_zone(),)}, {"nodes": (a_sample(100),)})
    columns = session.memory[0].columns(session.started_ns, session.now_ns, 2)
    assert [(column.free_pages, column.headroom_pages) for column in columns] == [(50_000, 48_000), (100, -1_900)]
