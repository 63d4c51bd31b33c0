from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.kernel.tree import NODES, node_files, write
from wlat_tui.bench.zoneinfo_generator import FakeNode, FakeZone, large_zoneinfo, zoneinfo_text
from wlat_tui.commands.topology import topology


@pytest.fixture
def root(tmp_path: Path) -> Path:
    zones = [
        FakeNode(0, (FakeZone("DMA", 10, 20, 3840), FakeZone("Normal", 50_000, 1000, 262_144), FakeZone("Movable"))),
        FakeNode(8, (FakeZone("Normal", 1100, 1000, 262_144),)),
    ]
    return write(
        tmp_path,
        {
            **node_files(0, cpus="0-3,8-11", mem_kb=1 << 20, distance=(10, 40, 80)),
            **node_files(8, mem_kb=2 << 20, distance=(40, 10, 80)),
            **node_files(255, cpus="12", mem_kb=0, distance=(80, 80, 10)),
            f"{NODES}/online": "0,8,255\n",
            f"{NODES}/has_memory": "0,8\n",
            "proc/zoneinfo": zoneinfo_text(zones, range(12)),
        },
    )


def _run(root: Path, *flags: str) -> str:
    result = CliRunner().invoke(topology, [*flags, "--root", str(root)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_nodes_cpus_distances_and_zones_are_shown(root: Path) -> None:
    output = _run(root)
    assert "3 nodes (0,8,255)" in output
    assert "8 CPUs: 0-3 8-11" in output
    assert [line.split() for line in output.splitlines() if line.startswith("   255:")] == [["255:", "80", "80", "10"]]


def test_nodes_without_cpus_or_memory_are_marked(root: Path) -> None:
    lines = _run(root).splitlines()
    assert any(line.startswith("node 8 ") and "no CPUs" in line for line in lines)
    assert any(line.startswith("node 255 ") and "no memory" in line for line in lines)


def test_each_zone_says_where_it_stands_and_empty_ones_are_never_short_of_memory(root: Path) -> None:
    lines = _run(root).splitlines()
    zones = [line for line in lines if line.startswith(("  DMA", "  Normal"))]
    states = [re.split(r"\s{2,}", line)[-1] for line in zones]
    assert states == ["below min", "above high", "below low: kswapd works"]
    assert "  empty: Movable" in lines


def test_everything_is_in_the_json_too(root: Path) -> None:
    facts = json.loads(_run(root, "--json"))
    first, second, third = facts["nodes"]
    assert (second["node"], second["cpus"], second["distances"]["0"]) == (8, [], 40)
    assert [zone["name"] for zone in first["zones"]] == ["DMA", "Normal", "Movable"]
    assert first["free_bytes"] is None
    assert third["has_memory"] is False


def test_a_kernel_without_nodes_is_one_node(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/meminfo": "MemTotal: 2048 kB\nMemFree: 1024 kB\n", "sys/devices/system/cpu/online": "0\n"})
    output = _run(root)
    assert "no /sys/devices/system/node" in output
    assert "2.00M, 1.00M free" in output
    assert "n/a" in output


def test_sixty_four_nodes_fit_eighty_columns(tmp_path: Path) -> None:
    for node in range(64):
        write(tmp_path, node_files(node, cpus=",".join(str(node * 2 + 128 * k) for k in range(40)), distance=range(10, 74)))
    write(tmp_path, {"proc/zoneinfo": large_zoneinfo(64, 4)})
    output = _run(tmp_path)
    assert max(map(len, output.splitlines())) <= 80
    assert sum(line.lstrip().startswith("63:") for line in output.splitlines()) == 5


def test_a_container_that_hides_sys_still_shows_the_nodes_of_zoneinfo(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/zoneinfo": large_zoneinfo(3, 2)})
    lines = _run(root).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("node ")] == ["0", "1", "2"]
    assert not any("no CPUs" in line for line in lines)


def test_this_host_has_a_topology() -> None:
    output = _run(Path("/"))
    assert "node 0" in output
