from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.tree import NODES, node_files, write
from wlat_tui.kernel.topology import parse_distances, read_topology


def test_distances_belong_to_online_nodes_in_order_however_sparse_their_ids() -> None:
    assert parse_distances("80 80 10 20", (0, 8, 250, 255)) == {0: 80, 8: 80, 250: 10, 255: 20}


def test_a_row_as_long_as_another_list_is_that_lists() -> None:
    assert parse_distances("21 10", (1,), listed=(1,), possible=(0, 1)) == {0: 21, 1: 10}


def test_a_row_that_fits_no_list_says_nothing() -> None:
    assert parse_distances("10 20 30", (0, 1)) == {}
    assert parse_distances("", (0,)) == {}


def test_asymmetric_and_absurd_distances_are_kept(tmp_path: Path) -> None:
    write(tmp_path, {**node_files(0, distance=(10, 255)), **node_files(1, distance=(50, 0)), f"{NODES}/online": "0-1\n"})
    assert [shape.distances for shape in read_topology(tmp_path)] == [{0: 10, 1: 255}, {0: 50, 1: 0}]


def test_nodes_without_memory_or_without_cpus_are_marked(tmp_path: Path) -> None:
    files = {**node_files(0, cpus="0-3", mem_kb=0), **node_files(2, cpus="", mem_kb=2048), f"{NODES}/has_memory": "2\n"}
    bare, far = read_topology(write(tmp_path, files))
    assert (bare.cpus, bare.has_memory, bare.total_bytes) == ((0, 1, 2, 3), False, 0)
    assert (far.cpus, far.has_memory, far.total_bytes) == ((), True, 2048 * 1024)


def test_without_the_list_of_nodes_with_memory_the_size_decides(tmp_path: Path) -> None:
    write(tmp_path, {**node_files(0, mem_kb=0), **node_files(1, mem_kb=8)})
    assert [shape.has_memory for shape in read_topology(tmp_path)] == [False, True]


def test_old_kernels_that_only_have_the_map_of_cpus_are_read(tmp_path: Path) -> None:
    write(tmp_path, node_files(0))
    (tmp_path / NODES / "node0/cpulist").unlink()
    write(tmp_path, {f"{NODES}/node0/cpumap": "00000001,80000000,00000003\n"})
    assert read_topology(tmp_path)[0].cpus == (0, 1, 63, 64)


def test_what_a_node_does_not_tell_is_none(tmp_path: Path) -> None:
    (tmp_path / NODES / "node0").mkdir(parents=True)
    (shape,) = read_topology(tmp_path)
    assert (shape.cpus, shape.distances, shape.total_bytes) == ((), {}, None)


def test_trailing_nuls_in_the_lists_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, {**node_files(0, cpus="0-1\0", distance=(10,)), f"{NODES}/online": "0\n\0"})
    assert read_topology(tmp_path)[0].cpus == (0, 1)


def test_plugged_cpus_and_memory_show_at_the_next_read(tmp_path: Path) -> None:
    write(tmp_path, {**node_files(0, cpus="0", distance=(10, 20)), **node_files(1, mem_kb=0, distance=(20, 10))})
    before = read_topology(tmp_path)[1]
    write(tmp_path, node_files(1, cpus="1-2", mem_kb=4, distance=(20, 10)))
    after = read_topology(tmp_path)[1]
    assert (before.cpus, before.has_memory) == ((), False)
    assert (after.cpus, after.has_memory) == ((1, 2), True)


@pytest.mark.skipif(not Path("/sys/devices/system/node/node0").exists(), reason="this kernel has no nodes")
def test_this_host_has_a_node_with_its_own_distance() -> None:
    for shape in read_topology():
        assert shape.node in shape.distances
