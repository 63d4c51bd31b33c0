from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernel.losses import lost_from_zoneinfo, numbers_in
from wlat_tui.bench.zoneinfo_generator import Era, FakeNode, FakeZone, large_zoneinfo, zoneinfo_text
from wlat_tui.kernel.zoneinfo import Zoneinfo, parse_pagesets, parse_zoneinfo, read_zoneinfo

COUNTS = st.integers(0, 2**64 - 1)
ZONE_NAMES = ("DMA", "DMA32", "Normal", "HighMem", "Movable", "Device")


@st.composite
def zones(draw: st.DrawFn, name: str) -> FakeZone:
    return FakeZone(
        name,
        free_pages=draw(COUNTS),
        min_pages=draw(st.integers(0, 2**40)),
        managed_pages=draw(st.sampled_from((0, 1, 3840, 2**40))),
        protection=tuple(draw(st.lists(st.integers(-1, 2**40), min_size=2, max_size=5))),
        threshold=draw(st.integers(1, 125)),
        row_value=draw(COUNTS),
        extra_rows=tuple((f"nr_future_{index}", draw(COUNTS)) for index in range(draw(st.integers(0, 2)))),
    )


@st.composite
def hosts(draw: st.DrawFn) -> tuple[FakeNode, ...]:
    ids = draw(st.lists(st.integers(0, 1023), min_size=1, max_size=4, unique=True))
    made = []
    for node in ids:
        names = draw(st.lists(st.sampled_from(ZONE_NAMES), min_size=1, max_size=5, unique=True))
        made.append(FakeNode(node, tuple(draw(zones(name)) for name in names)))
    return tuple(made)


CPUS = st.lists(st.integers(0, 300), max_size=6, unique=True).map(sorted)


@given(hosts(), CPUS, st.sampled_from(Era))
@settings(deadline=None)
def test_nothing_is_lost_in_any_era(nodes: tuple[FakeNode, ...], cpus: list[int], era: Era) -> None:
    assert not lost_from_zoneinfo(zoneinfo_text(nodes, cpus, era))


@given(hosts(), CPUS, st.sampled_from(Era))
@settings(deadline=None)
def test_every_printed_zone_is_found_with_its_values(nodes: tuple[FakeNode, ...], cpus: list[int], era: Era) -> None:
    found = {(zone.node, zone.name): zone for zone in parse_zoneinfo(zoneinfo_text(nodes, cpus, era)).zones}
    hidden = era in (Era.V2_6_14, Era.V2_6_20, Era.V3_13, Era.V4_10)
    printed = {(node.node, zone.name): zone for node in nodes for zone in node.zones if zone.managed_pages or not hidden}
    assert found.keys() == printed.keys()
    for key, zone in printed.items():
        assert (found[key].free, found[key].min, found[key].protection) == (zone.free_pages, zone.min_pages, zone.protection)
        for name, value in zone.extra_rows if zone.managed_pages else ():
            assert found[key].rows[name] == value


PIECES = (
    "Node 0, zone DMA\n",
    "  pages free     ",
    "  pagesets\n",
    "    cpu: ",
    "protection: (",
    "scanned ",
    "  vm stats threshold: ",
)
GARBAGE = st.lists(st.sampled_from(PIECES) | st.text(max_size=4) | st.sampled_from(("7", "-1", "\n", ", 3)")), max_size=20).map(
    "".join
)


@given(GARBAGE)
def test_garbage_never_crashes_the_parser(text: str) -> None:
    table = parse_zoneinfo(text)
    for zone in table.zones:
        table.pagesets(zone.node, zone.name)


@given(hosts(), CPUS, st.sampled_from(Era), st.data())
@settings(deadline=None)
def test_a_file_cut_anywhere_keeps_its_whole_zones(
    nodes: tuple[FakeNode, ...], cpus: list[int], era: Era, data: st.DataObject
) -> None:
    text = zoneinfo_text(nodes, cpus, era)
    lines = text.splitlines(keepends=True)
    kept = "".join(lines[: data.draw(st.integers(0, len(lines)))])
    table = parse_zoneinfo(kept)
    assert len(table.zones) + len(table.incomplete) == sum(", zone" in line for line in kept.splitlines())


def _modern(*zones: FakeZone, era: Era = Era.V6_18, cpus: int = 4) -> str:
    return zoneinfo_text([FakeNode(0, zones)], range(cpus), era)


def test_the_block_of_a_node_is_not_taken_for_its_first_zone() -> None:
    text = _modern(FakeZone("DMA"), FakeZone("Normal", 900, 100, 5000), era=Era.V4_10)
    table = parse_zoneinfo(text)
    assert "nr_inactive_anon" in table.nodes[0]
    assert all("nr_inactive_anon" not in zone.rows for zone in table.zones)
    assert table.zones[-1].rows["nr_free_pages"] == 7


def test_a_block_under_its_own_header_is_the_same() -> None:
    zone = FakeZone("Normal", 900, 100, 5000)
    inside, apart = parse_zoneinfo(_modern(zone)), parse_zoneinfo(_modern(zone, era=Era.NODE_HEADER))
    assert inside.nodes == apart.nodes
    assert inside.zones == apart.zones


def test_a_row_without_a_name_is_kept_under_the_empty_name() -> None:
    table = parse_zoneinfo(_modern(FakeZone("Normal", 900, 100, 5000, row_value=31), era=Era.V4_18))
    assert table.nodes[0][""] == 31
    assert table.nodes[0]["nr_dirty"] == 31


def test_an_empty_zone_has_no_start_and_inherits_nothing_from_the_zone_before() -> None:
    full, empty = parse_zoneinfo(_modern(FakeZone("Normal", 900, 100, 5000), FakeZone("Movable", min_pages=32))).zones
    assert full.start_pfn == 1
    assert full.drift_pages == 4 * 42
    assert (empty.managed, empty.start_pfn, empty.drift_pages, dict(empty.rows)) == (0, None, None, {"cma": 0})


def test_rows_an_old_kernel_does_not_print_are_none() -> None:
    (zone,) = parse_zoneinfo(_modern(FakeZone("DMA", 900, 100, 5000), era=Era.V2_6_14)).zones
    assert (zone.managed, zone.boost, zone.promo, zone.drift_pages) == (None, None, None, None)
    assert (zone.rows["scanned"], zone.rows["scanned a"], zone.rows["scanned i"]) == (3, 24, 4)


def test_a_zone_without_watermarks_is_kept_apart_and_never_zero() -> None:
    table = parse_zoneinfo("Node 0, zone   Normal\n  pages free     5\n        spanned  9\n")
    assert table.zones == ()
    assert table.incomplete == {(0, "Normal"): {"free": 5, "spanned": 9}}


def test_drift_counts_the_cpus_that_are_listed_and_not_the_highest_number() -> None:
    node = FakeNode(0, (FakeZone("Normal", 900, 100, 5000, threshold=10),))
    (zone,) = parse_zoneinfo(zoneinfo_text([node], [0, 2, 7])).zones
    assert zone.drift_pages == 30


def test_long_lists_of_cpus_drift_as_far_as_short_ones() -> None:
    nodes = [FakeNode(node, (FakeZone("Normal", 900, 100, 5000, threshold=node + 1),)) for node in range(3)]
    table = parse_zoneinfo(zoneinfo_text(nodes, range(700)))
    assert [zone.drift_pages for zone in table.zones] == [700, 1400, 2100]


def test_per_cpu_lists_are_parsed_on_demand() -> None:
    table = parse_zoneinfo(_modern(FakeZone("Normal", 900, 100, 5000), cpus=2))
    expected = {"count": 17, "high": 1720, "batch": 63, "high_min": 1720, "high_max": 53000, "vm stats threshold": 42}
    assert table.pagesets(0, "Normal") == ({"cpu": 0, **expected}, {"cpu": 1, **expected})
    assert table.pagesets(0, "Nowhere") == ()


def test_lists_of_hot_and_cold_pages_are_told_apart() -> None:
    sets = parse_pagesets("  pagesets\n    cpu: 0 pcp: 0\n              count: 66\n    cpu: 0 pcp: 1\n              count: 9\n")
    assert sets == ({"cpu": 0, "pcp": 0, "count": 66}, {"cpu": 0, "pcp": 1, "count": 9})


def test_nodes_come_in_the_order_and_under_the_ids_of_the_file() -> None:
    nodes = [FakeNode(node, (FakeZone("Normal", 9, 1, 50),)) for node in (8, 0, 255)]
    assert [zone.node for zone in parse_zoneinfo(zoneinfo_text(nodes, [0])).zones] == [8, 0, 255]


def test_sixty_four_nodes_with_a_thousand_cpus_are_read_whole() -> None:
    table = parse_zoneinfo(large_zoneinfo())
    assert len(table.nodes) == 64
    normal = [zone for zone in table.zones if zone.name == "Normal"]
    assert [zone.drift_pages for zone in normal] == [1024 * 125] * 64
    assert len(table.pagesets(63, "Normal")) == 1024


def test_padding_and_a_missing_last_newline_change_nothing(tmp_path: Path) -> None:
    text = _modern(FakeZone("Normal", 900, 100, 5000))
    (tmp_path / "proc").mkdir()
    for ending in (b"\n", b"", b"\n" + b"\0" * 4096):
        (tmp_path / "proc/zoneinfo").write_bytes(text.rstrip("\n").encode() + ending)
        table = read_zoneinfo(tmp_path)
        assert table is not None
        assert table.zones == parse_zoneinfo(text).zones


def test_a_host_without_the_file_is_none(tmp_path: Path) -> None:
    assert read_zoneinfo(tmp_path) is None


def test_a_kept_file_shows_what_is_in_it_now(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    path = tmp_path / "proc/zoneinfo"
    path.write_text(large_zoneinfo(nodes=1, cpus=900))
    with Zoneinfo(tmp_path) as kept:
        assert kept.table().zones[2].drift_pages == 900 * 125
        path.write_text(_modern(FakeZone("Normal", 5, 1, 9)))
        assert [zone.free for zone in kept.table().zones] == [5]


@pytest.mark.skipif(not Path("/proc/zoneinfo").exists(), reason="no /proc/zoneinfo on this system")
def test_this_host_is_read_without_loss() -> None:
    assert not lost_from_zoneinfo(Path("/proc/zoneinfo").read_text())


def test_the_loss_check_itself_notices_a_lost_number() -> None:
    text = _modern(FakeZone("Normal", 900, 100, 5000))
    assert lost_from_zoneinfo(text + "  something of 4711 that is not a row\n") == numbers_in("4711")
