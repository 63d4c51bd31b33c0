"""Kernel files of many real hosts, when a directory of them is given: $WLAT_PROCFS/<host>/proc/..., .../sys/..."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kernel.losses import lost_from_zoneinfo, numbers_in
from wlat_tui.kernel.cpulist import format_cpulist, parse_cpulist
from wlat_tui.kernel.files import read_text
from wlat_tui.kernel.meminfo import parse_meminfo
from wlat_tui.kernel.node_vmstat import NODES, NodeVmstat, online_nodes
from wlat_tui.kernel.pressure import parse_pressure
from wlat_tui.kernel.topology import read_topology
from wlat_tui.kernel.vmstat import parse_vmstat
from wlat_tui.kernel.zoneinfo import read_zoneinfo

DUMPS = os.environ.get("WLAT_PROCFS")
HOSTS = sorted(path for path in Path(DUMPS).iterdir() if path.is_dir()) if DUMPS else []

if not HOSTS:
    pytest.skip("WLAT_PROCFS names no directory of kernel files from other hosts", allow_module_level=True)


def _hosts_with(pattern: str) -> pytest.MarkDecorator:
    hosts = [host for host in HOSTS if any(host.glob(pattern))]
    return pytest.mark.parametrize("host", hosts, ids=[host.name for host in hosts])


def _text(path: Path) -> str:
    text = read_text(path)
    assert text is not None
    return text


@_hosts_with("proc/zoneinfo")
def test_every_number_of_zoneinfo_is_kept(host: Path) -> None:
    text = _text(host / "proc/zoneinfo")
    assert not lost_from_zoneinfo(text)


@_hosts_with("proc/zoneinfo")
def test_every_zone_of_zoneinfo_has_watermarks(host: Path) -> None:
    text = _text(host / "proc/zoneinfo")
    table = read_zoneinfo(host)
    assert table is not None
    assert len(table.zones) + len(table.incomplete) == sum(", zone" in line for line in text.splitlines())
    assert not table.incomplete


@_hosts_with("proc/vmstat")
def test_every_row_of_vmstat_is_kept(host: Path) -> None:
    text = _text(host / "proc/vmstat")
    rows = parse_vmstat(text)
    assert [f"{name} {value}" for name, value in rows.items()] == text.splitlines()


@_hosts_with("**/meminfo")
def test_every_row_of_every_meminfo_is_kept(host: Path) -> None:
    files = [host / "proc/meminfo", *host.glob(f"{NODES}/node*/meminfo")]
    for path in files:
        text = read_text(path)
        if text is not None:
            lines = [
                line
                for line in text.splitlines()
                if line.strip() and not line.lstrip().startswith(("total:", "Mem: ", "Swap: "))
            ]
            assert len(parse_meminfo(text)) == len(lines), path


@_hosts_with("sys/devices/system/node/node*/vmstat")
def test_every_node_vmstat_is_kept(host: Path) -> None:
    paths = {int(path.parent.name[4:]): path for path in host.glob(f"{NODES}/node*/vmstat")}
    reader = NodeVmstat(host)
    samples = {sample.node: sample for sample in reader.read()}
    reader.close()
    assert samples.keys() == paths.keys()
    for node, path in paths.items():
        expected = numbers_in(read_text(path) or "")
        assert not expected - numbers_in(" ".join(map(str, samples[node].rows.values()))), path


@_hosts_with("sys/devices/system/node/node*")
def test_nodes_have_the_cpus_distances_and_sizes_of_their_files(host: Path) -> None:
    shapes = {shape.node: shape for shape in read_topology(host)}
    assert tuple(shapes) == online_nodes(host)
    for node, shape in shapes.items():
        here = host / NODES / f"node{node}"
        cpulist, distance = read_text(here / "cpulist"), read_text(here / "distance")
        if cpulist is not None:
            assert parse_cpulist(format_cpulist(shape.cpus)) == parse_cpulist(cpulist)
        if distance is not None:
            assert list(shape.distances.values()) == [int(word) for word in distance.split()]
            assert set(shapes) <= shape.distances.keys()


@_hosts_with("proc/pressure/*")
def test_every_line_of_pressure_is_kept(host: Path) -> None:
    for path in host.glob("proc/pressure/*"):
        text = read_text(path) or ""
        lines = parse_pressure(text, path.name)
        assert [line.kind for line in lines] == [line.split()[0] for line in text.splitlines() if line.strip()]
