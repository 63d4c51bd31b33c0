"""Machines of other shapes. Each is a boot of its own, some with many emulated CPUs: minutes, so only with WLAT_NUMA_ALL=1."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.numa.chapters import zones
from tests.numa.guest import DISTANCE, Guest
from tests.numa.shows import ALL
from wlat_tui.model.session import Session
from wlat_tui.sessions.recording import Recording

pytestmark = [
    pytest.mark.numa,
    pytest.mark.skipif(ALL not in os.environ, reason=f"a boot for each of seven machines takes minutes: set {ALL}=1"),
]
DIMM = ("-object", "memory-backend-ram,id=dimm,size=512M", "-device", "pc-dimm,id=plugged,memdev=dimm,node=1")
MOVABLE = "memhp_default_state=online_movable"
SHAPES = {
    "one node": Guest(mem=("2G",), cpus=("0",)),
    "four nodes": Guest(mem=("1G", "512M", "512M", "512M"), cpus=("0", "1", "2", "3")),
    "a node without memory": Guest(mem=("2G", "0"), cpus=("0", "1")),
    "a node without CPUs": Guest(mem=("1G", "1G"), cpus=("0-1", "")),
    "a node of movable memory": Guest(
        mem=("1G", "0"), cpus=("0", "1"), room="slots=2,maxmem=4G", devices=DIMM, arguments=(MOVABLE,)
    ),
    "eight nodes": Guest(mem=("1G", *["512M"] * 7), cpus=tuple(f"{2 * node}-{2 * node + 1}" for node in range(8))),
}
LOOK = """
mkdir -p /job/out
wlat topology --json >/job/out/topology.json
cat /proc/zoneinfo >/job/out/zoneinfo
wlat record --for 4s --interval 5ms --dir /data -o /tmp/a.wlat >/job/out/record.log 2>&1; echo $? >/job/out/status
cp /tmp/a.wlat /job/out
"""


def looked_at(guest: Guest, script: str, out: Path, timeout_s: float) -> Session:
    """What a recording in this guest shows at its end."""
    if reason := guest.unavailable():
        pytest.skip(reason)
    guest.run(script, timeout_s=timeout_s, keep=out).check()
    assert (out / "status").read_text().strip() == "0", (out / "record.log").read_text()
    session = Session()
    with Recording(out / "a.wlat") as recording:
        for frame in recording.frames():
            session.fold(frame)
    return session


@pytest.mark.parametrize("name", SHAPES)
def test_a_machine_is_seen_as_it_was_built(name: str, tmp_path: Path) -> None:
    guest = SHAPES[name]
    session = looked_at(guest, LOOK, tmp_path / "out", timeout_s=900)
    said: dict[str, Any] = json.loads((tmp_path / "out" / "topology.json").read_text())
    nodes = {node["node"]: node for node in said["nodes"]}
    assert len(nodes) == len(guest.mem)
    for number, (mem, cpus) in enumerate(zip(guest.mem, guest.cpus, strict=True)):
        first, _, last = cpus.partition("-")
        assert nodes[number]["cpus"] == (list(range(int(first), int(last or first) + 1)) if cpus else [])
        plugged = bool(guest.devices) and number == 1
        state = session.nodes[number]
        assert (state.empty is None) is (mem != "0" or plugged), state.empty
        assert (nodes[number]["total_bytes"] or 0) > 0 or not (mem != "0" or plugged)
        if len(nodes) > 1:
            assert nodes[number]["distances"][str((number + 1) % len(nodes))] == DISTANCE
    printed = zones((tmp_path / "out" / "zoneinfo").read_text())
    shown = [(z.zone.node, z.zone.name, z.zone.managed) for state in session.nodes.values() for z in state.zones]
    assert shown == [(zone["node"], zone["zone"], zone["managed"]) for zone in printed]
    if name == "a node of movable memory":
        assert [z.zone.name for z in session.nodes[1].zones] == ["Movable"]
    assert session.writer is not None
    assert sum(session.writes) > 100


PLUG = """
mkdir -p /job/out
wlat record --for 20m --interval 5ms --dir /data -o /tmp/a.wlat >/job/out/record.log 2>&1 &
until [ -s /tmp/a.wlat ]; do sleep 0.2; done
sleep 3
ask() { touch /job/ask-$1; until [ -e /job/done-$1 ]; do sleep 0.2; done; cat /job/done-$1; }
ask dimm
until grep -q 1 /sys/devices/system/node/has_memory; do sleep 0.2; done
sleep 3
ask cpu
until ls -d /sys/devices/system/cpu/cpu2; do sleep 0.2; done
echo 1 >/sys/devices/system/cpu/cpu2/online
sleep 3
for block in /sys/devices/system/node/node1/memory[0-9]*; do echo offline >$block/state; done
sleep 3
ask undimm
sleep 3
kill -INT $!; wait $!; echo $? >/job/out/status
cp /tmp/a.wlat /job/out
"""


def test_memory_and_cpus_that_come_and_go_are_told(tmp_path: Path) -> None:
    backing = {"qom-type": "memory-backend-ram", "id": "dimm", "size": 512 << 20}
    guest = Guest(
        mem=("1G", "0"),
        cpus=("0", "1"),
        room="slots=2,maxmem=4G",
        max_cpus=3,
        arguments=(MOVABLE,),
        asks={
            "dimm": (
                {"execute": "object-add", "arguments": backing},
                {"execute": "device_add", "arguments": {"driver": "pc-dimm", "id": "plugged", "memdev": "dimm", "node": 1}},
            ),
            "cpu": (
                {
                    "execute": "device_add",
                    "arguments": {"driver": "max-x86_64-cpu", "id": "more", "socket-id": 2, "core-id": 0, "thread-id": 0},
                },
            ),
            "undimm": ({"execute": "device_del", "arguments": {"id": "plugged"}},),
        },
    )
    session = looked_at(guest, PLUG, tmp_path / "out", timeout_s=900)
    with Recording(tmp_path / "out" / "a.wlat") as recording:
        hosts = [json.loads(row[0]) for row in recording.rows("SELECT value FROM host ORDER BY frame")]
    memory = [sum(node["total_bytes"] or 0 for node in host["nodes"]) for host in hosts]
    assert max(memory) >= memory[0] + (500 << 20), "the DIMM was seen"
    assert memory[-1] < max(memory), "and that it went"
    assert max(len(host["cpus_online"]) for host in hosts) == 3
    assert session.writer_missing is None
