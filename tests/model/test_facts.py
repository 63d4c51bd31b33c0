"""Everything that was read, as facts."""

from __future__ import annotations

import pytest

from wlat_tui.model.facts import Facts, host_facts, node_facts, writer_facts, zone_table
from wlat_tui.model.session import Session
from wlat_tui.sources.scripted import Scenario, ScriptedSource


def told(scenario: Scenario, frames: int) -> Session:
    session, source = Session(), ScriptedSource(scenario=scenario, realtime=False)
    for _ in range(frames):
        session.fold(source.next_frame())
    return session


def values(groups: list[Facts]) -> dict[str, str | None]:
    return {fact.name: fact.value for group in groups for fact in group.facts}


@pytest.mark.parametrize("node", [0, 1])
def test_a_node_tells_its_watermarks_its_pages_and_its_reclaim(node: int) -> None:
    session = told("below_min", 20)
    found = values(node_facts(session.nodes[node], 4096))
    for name in ("free", "min", "low", "high", "boost", "promo", "managed", "room above low", "file", "anon", "slab", "dirty"):
        assert found[name]
    for name in ("writeback", "kswapd", "kswapd CPU", "numa_miss", "numa_foreign"):
        assert found[name]
    assert found["counter drift"] == "±11.7M" if node else found["counter drift"]
    assert found["kswapd scanned"] is None


def test_zones_are_told_one_by_one() -> None:
    session = told("story", 5)
    heading, *rows = zone_table(session.nodes[0], 4096)
    assert [row[0] for row in rows] == ["DMA", "DMA32", "Normal"]
    assert {"min", "low", "high", "promo", "boost", "managed", "protection", "drift"} <= set(heading)
    assert all(len(row) == len(heading) for row in rows)


def test_the_host_tells_features_counters_and_pressure_or_why_not() -> None:
    found = values(host_facts(told("below_min", 30)))
    for name in ("page size", "THP", "MGLRU", "allocstall", "zone_reclaim_success", "zone_reclaim_failed", "compact_stall"):
        assert found[name]
    assert found["memory some"]
    degraded = [fact for group in host_facts(told("degraded", 30)) for fact in group.facts if fact.value is None]
    assert {"PSI", "MGLRU"} <= {fact.name for fact in degraded}
    assert all(fact.why for fact in degraded)


def test_before_anything_was_read_every_fact_says_why_it_is_missing() -> None:
    facts = [fact for group in (*host_facts(Session()), *writer_facts(Session())) for fact in group.facts]
    assert facts
    assert all(fact.value is None and fact.why for fact in facts)


def test_the_writer_tells_its_segment_and_its_precursor() -> None:
    found = values(writer_facts(told("story", 30)))
    assert found["method"] == "off"
    assert found["resident"] is None
    assert found["directory"] == "/srv/log"
    assert values(writer_facts(told("no_writer", 3)))["report"] is None
