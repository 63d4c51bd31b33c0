"""Makes /proc/zoneinfo texts of any size in the layouts of several kernel eras, for tests and `wlat bench reach`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum


class Era(Enum):
    """Layouts that differ. The value is a kernel that prints it."""

    V2_6_14 = "2.6.14"
    """Per-CPU hot and cold lists with numa counters inside, no nr_ rows."""
    V2_6_20 = "2.6.20"
    V3_13 = "3.13"
    V4_10 = "4.10"
    """First with a per-node block inside the first populated zone."""
    V4_18 = "4.18"
    """Empty zones printed; a row without a name in the per-node block."""
    V6_18 = "6.18"
    """boost, promo, cma, high_min and high_max."""
    NODE_HEADER = "proposed"
    """The per-node block under a header of its own, as two unmerged patches print it."""


_MODERN = (Era.V4_18, Era.V6_18, Era.NODE_HEADER)
_PER_NODE = (Era.V4_10, *_MODERN)
_NODE_ROWS = (
    "nr_inactive_anon", "nr_active_anon", "nr_inactive_file", "nr_active_file", "nr_unevictable", "nr_slab_reclaimable",
    "nr_slab_unreclaimable", "nr_isolated_anon", "nr_isolated_file", "workingset_nodes", "workingset_refault_anon",
    "workingset_refault_file", "workingset_activate_anon", "workingset_activate_file", "workingset_restore_anon",
    "workingset_restore_file", "workingset_nodereclaim", "nr_anon_pages", "nr_mapped", "nr_file_pages", "nr_dirty",
    "nr_writeback", "nr_shmem", "nr_shmem_hugepages", "nr_shmem_pmdmapped", "nr_file_hugepages", "nr_file_pmdmapped",
    "nr_anon_transparent_hugepages", "nr_vmscan_write", "nr_vmscan_immediate_reclaim", "nr_dirtied", "nr_written",
    "nr_throttled_written", "nr_kernel_misc_reclaimable", "nr_foll_pin_acquired", "nr_foll_pin_released", "nr_kernel_stack",
    "nr_page_table_pages", "nr_sec_page_table_pages", "nr_iommu_pages", "nr_swapcached", "pgpromote_success",
    "pgpromote_candidate", "pgpromote_candidate_nrl", "pgdemote_kswapd", "pgdemote_direct", "pgdemote_khugepaged",
    "pgdemote_proactive", "nr_hugetlb", "nr_balloon_pages", "nr_kernel_file_pages",
)  # fmt: skip
_ZONE_ROWS = (
    "nr_free_pages", "nr_free_pages_blocks", "nr_zone_inactive_anon", "nr_zone_active_anon", "nr_zone_inactive_file",
    "nr_zone_active_file", "nr_zone_unevictable", "nr_zone_write_pending", "nr_mlock", "nr_zspages", "nr_free_cma",
    "numa_hit", "numa_miss", "numa_foreign", "numa_interleave", "numa_local", "numa_other",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FakeZone:
    """What is printed for one zone; ``managed_pages`` 0 makes it an empty one."""

    name: str
    free_pages: int = 0
    min_pages: int = 0
    managed_pages: int = 0
    protection: tuple[int, ...] = (0, 0, 0, 0)
    threshold: int = 42
    row_value: int = 7
    """The value of every counter row."""
    extra_rows: tuple[tuple[str, int], ...] = ()
    """Rows of kernels that do not exist yet."""


@dataclass(frozen=True, slots=True)
class FakeNode:
    node: int
    zones: tuple[FakeZone, ...]


def zoneinfo_text(nodes: Sequence[FakeNode], cpus: Sequence[int], era: Era = Era.V6_18) -> str:
    """The file as the kernel of that era would print it, nodes in the order given."""
    lines: list[str] = []
    for node in nodes:
        populated = [zone for zone in node.zones if zone.managed_pages]
        if era is Era.NODE_HEADER:
            lines.append(f"Node {node.node}, per-node stats")
            lines += _node_rows(node, era)
        for zone in node.zones if era in _MODERN else populated:
            lines.append(f"Node {node.node}, zone {zone.name:>8}")
            if era in _PER_NODE and era is not Era.NODE_HEADER and zone is (populated or node.zones)[0]:
                lines += ["  per-node stats", *_node_rows(node, era)]
            lines += _zone_lines(zone, cpus, era)
    return "\n".join([*lines, ""])


def large_zoneinfo(nodes: int = 64, cpus: int = 1024) -> str:
    """A big host on a current kernel: DMA and DMA32 on the first node, Normal everywhere, Movable and Device empty. 10 MB."""
    empty = (FakeZone("Movable", min_pages=32), FakeZone("Device"))
    low = (
        FakeZone("DMA", 3840, 8, 3840, (0, 2964, 515000, 515000)),
        FakeZone("DMA32", 740000, 1500, 760000, (0, 0, 512000, 512000)),
    )
    none = (FakeZone("DMA", protection=(0, 0, 512000, 512000)), FakeZone("DMA32", protection=(0, 0, 512000, 512000)))
    normal = FakeZone("Normal", 20_000_000, 65_000, 66_000_000, threshold=125)
    made = [FakeNode(node, (*(none if node else low), normal, *empty)) for node in range(nodes)]
    return zoneinfo_text(made, range(cpus))


def _node_rows(node: FakeNode, era: Era) -> Iterator[str]:
    value = node.zones[0].row_value if node.zones else 0
    for name in _NODE_ROWS:
        yield f"      {name:<12} {value}"
    if era is Era.V4_18:
        yield f"{'':19}{value}"


def _zone_lines(zone: FakeZone, cpus: Sequence[int], era: Era) -> Iterator[str]:
    gap = max(zone.min_pages // 4, 1)
    yield f"  pages free     {zone.free_pages}"
    if era in (Era.V6_18, Era.NODE_HEADER):
        yield "        boost    0"
    yield f"        min      {zone.min_pages}"
    yield f"        low      {zone.min_pages + gap}"
    yield f"        high     {zone.min_pages + 2 * gap}"
    if era in (Era.V6_18, Era.NODE_HEADER):
        yield f"        promo    {zone.min_pages + 3 * gap}"
    yield from _size_lines(zone, era)
    protection = f"        protection: ({', '.join(map(str, zone.protection))})"
    if era in _MODERN:
        yield protection
    if not zone.managed_pages and era in _MODERN:
        return  # an empty zone ends here: no counters, no lists, no start_pfn
    if era is not Era.V2_6_14:
        indent = "    " if era is Era.V2_6_20 else "      "
        for name in _ZONE_ROWS:
            yield f"{indent}{name:<12} {zone.row_value}"
    for name, value in zone.extra_rows:
        yield f"      {name:<12} {value}"
    if era not in _MODERN:
        yield protection
    yield "  pagesets"
    for cpu in cpus:
        yield from _pageset_lines(cpu, zone.threshold, era)
    unreclaimable = "node_unreclaimable" if era in _PER_NODE else "all_unreclaimable"
    yield f"  {unreclaimable}:  0" if era in _PER_NODE else f"  {unreclaimable}: 0"
    if era in (Era.V2_6_14, Era.V2_6_20):
        yield "  prev_priority:     12"
    yield "  start_pfn:           1"


def _size_lines(zone: FakeZone, era: Era) -> Iterator[str]:
    if era in (Era.V2_6_14, Era.V2_6_20):
        yield "        active   5010"
        yield "        inactive 775"
        yield "        scanned  3 (a: 24 i: 4)"
    elif era is Era.V3_13:
        yield "        scanned  0"
    elif era is Era.V4_10:
        yield "   node_scanned  0"
    yield f"        spanned  {zone.managed_pages}"
    yield f"        present  {zone.managed_pages}"
    if era not in (Era.V2_6_14, Era.V2_6_20):
        yield f"        managed  {zone.managed_pages}"
    if era in (Era.V6_18, Era.NODE_HEADER):
        yield "        cma      0"


def _pageset_lines(cpu: int, threshold: int, era: Era) -> Iterator[str]:
    if era in (Era.V2_6_14, Era.V2_6_20):
        for which in (0, 1):
            yield f"    cpu: {cpu} pcp: {which}"
            yield "              count: 66"
            if era is Era.V2_6_14:
                yield "              low:   0"
            yield "              high:  384"
            yield "              batch: 64"
        if era is Era.V2_6_14:
            yield "            numa_hit:       2155"
            yield "            numa_miss:      9"
            return
    else:
        new = era in (Era.V6_18, Era.NODE_HEADER)
        yield f"    cpu: {cpu}"
        yield f"              count:    {17}" if new else f"              count: {17}"
        yield "              high:     1720" if new else "              high:  1720"
        yield "              batch:    63" if new else "              batch: 63"
        if new:
            yield "              high_min: 1720"
            yield "              high_max: 53000"
    yield f"  vm stats threshold: {threshold}"
