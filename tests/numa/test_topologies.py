"""Machines of other shapes: memory and CPUs apart, nodes that come and go, many nodes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.numa.guest import Guest
from tests.numa.recorded import assert_as_built, record

pytestmark = [pytest.mark.numa, pytest.mark.minutes("a boot with many emulated CPUs or a machine that changes takes a minute")]
KERNELS = ("6.12", "6.1")
PLUG = """
ask() { touch /job/ask-$1; until [ -e /job/done-$1 ]; do sleep 0.2; done; cat /job/done-$1; }
ask dimm
until grep -q 3 /sys/devices/system/node/has_memory; do sleep 0.2; done
wrote 1500
if [ ! -e /sys/devices/system/cpu/cpu2 ]; then ask cpu; fi
until ls -d /sys/devices/system/cpu/cpu2; do sleep 0.2; done
echo 1 >/sys/devices/system/cpu/cpu2/online
wrote 600
echo 0 >/sys/devices/system/cpu/cpu2/online
for block in /sys/devices/system/node/node3/memory[0-9]*; do echo offline >$block/state; done
ask undimm
while ls -d /sys/devices/system/node/node3/memory[0-9]*; do sleep 0.2; done
wrote 600
"""
DIMM_BYTES = 512 << 20
ASKS = {
    "dimm": (
        {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "dimm", "size": DIMM_BYTES}},
        {"execute": "device_add", "arguments": {"driver": "pc-dimm", "id": "plugged", "memdev": "dimm", "node": 3}},
    ),
    "cpu": (
        {
            "execute": "device_add",
            "arguments": {"driver": "max-x86_64-cpu", "id": "more", "socket-id": 2, "core-id": 0, "thread-id": 0},
        },
    ),
    "undimm": ({"execute": "device_del", "arguments": {"id": "plugged"}},),
}


@pytest.mark.parametrize("kernel", KERNELS)
def test_memory_without_cpus_cpus_without_memory_and_what_comes_and_goes_are_told(kernel: str, tmp_path: Path) -> None:
    """Node 1 has no memory, node 2 no CPUs; node 3 comes with a DIMM that is movable memory only, and goes with it.

    So does CPU 2: plugged on 6.1; later kernels do so only under a hypervisor that they know, there it is started late.
    """
    guest = Guest(
        mem=("1G", "0", "512M", "0"),
        cpus=("0", "1", "", ""),
        kernel=kernel,
        room="slots=2,maxmem=4G",
        max_cpus=3,
        arguments=("memhp_default_state=online_movable", "transparent_hugepage=never", "maxcpus=2"),
        asks=ASKS,
    )
    seen = record(guest if kernel == "6.1" else replace(guest, cpus=("0", "1-2", "", "")), PLUG, tmp_path / "out")
    assert_as_built(guest, seen)

    assert any(
        [state.zone.name for state in node.zones] == ["Movable"] and node.managed_pages and node.free_pages
        for session in seen.moments()
        if (node := session.nodes.get(3)) is not None
    )
    memory = [sum(node.total_bytes or 0 for node in host.nodes) for host in seen.hosts]
    assert max(memory) == memory[0] + DIMM_BYTES
    assert memory[-1] == memory[0], "the DIMM is gone"
    online = [host.cpus_online for host in seen.hosts]
    assert (0, 1, 2) in online
    assert online[0] == online[-1] == (0, 1)
    end = seen.session()
    assert not end.nodes[3].online or end.nodes[3].empty
    assert end.writer_missing is None


@pytest.mark.parametrize("kernel", KERNELS)
def test_eight_nodes_and_sixteen_cpus_are_seen_and_the_screen_can_be_used(kernel: str, tmp_path: Path) -> None:
    guest = Guest(
        mem=("1G", *["256M"] * 7), cpus=tuple(f"{2 * node}-{2 * node + 1}" for node in range(8)), kernel=kernel, disk="1G"
    )
    out = tmp_path / "out"
    walk = f"WLAT_TEST_PATIENCE=5 python -m tests.numa.inside_screen /job/out {len(guest.mem)}\n"
    seen = record(guest, "wrote 400", out, after=walk)
    assert_as_built(guest, seen)
    session = seen.session()
    assert session.writer_missing is None
    for size in ("80x24", "120x40", "200x60"):
        shown = (out / f"{size}.txt").read_text()
        print(shown)
        nodes = shown.split("2 NUMA nodes")[1]
        assert all(re.search(rf"(^|[ ▸]){node}[w ][ !]", nodes, re.M) for node in range(8)), shown
    assert "room above low" in (out / "opened.txt").read_text()
    assert session.cost is not None
    print(f"a tick of 8 nodes: {session.cost}")
