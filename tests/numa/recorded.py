"""What a script in a guest leaves when it ran ``wlat record`` in the background, and how that is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.numa.chapters import zones
from tests.numa.guest import Guest
from wlat_tui.frame import Frame, Host
from wlat_tui.model.session import Session
from wlat_tui.sessions.recording import Recording

BEGIN = """
mkdir -p /job/out
step() { echo "$1 $(cut -d' ' -f1 /proc/uptime)" >>/job/out/steps; }
wrote() {  # until the writer has made so many more writes: how long that takes, emulated CPUs do not say
    local pid=$(pgrep -f wlat_tui.engine) task calls
    task=$(grep -sl wlat-writer /proc/$pid/task/*/comm) || return
    calls=$(sed -n 's/syscw: //p' ${task%comm}io)
    until [ $(sed -n 's/syscw: //p' ${task%comm}io) -ge $((calls + $1)) ]; do sleep 0.2; done
}
wlat topology --json >/job/out/topology.json
cat /proc/zoneinfo >/job/out/zoneinfo
# untraced: a tracepoint that comes or goes patches kernel code, on which several emulated CPUs were seen to spin for ever;
# a slow tick: on a busy machine emulated CPUs make no five frames a second, and fall behind for ever
wlat record --no-trace --tick 1s --interval 5ms --threshold 100ms --dir /data --for 1h -o /tmp/a.wlat $FLAGS \\
    >/job/out/log 2>&1 &
wlat=$!
until wrote 200; do sleep 0.5; done
engine=$(pgrep -f wlat_tui.engine)
"""
END = """
step end
kill -TERM $wlat; wait $wlat; echo $? >/job/out/status
cp /tmp/a.wlat /job/out
"""
LASTS_S = 900
"""With sixteen emulated CPUs on two busy ones."""


@dataclass(frozen=True)
class Recorded:
    """What the script left."""

    out: Path

    @cached_property
    def topology(self) -> Mapping[int, Mapping[str, Any]]:
        """Node -> what ``wlat topology`` said of it, before the recording."""
        return {node["node"]: node for node in json.loads((self.out / "topology.json").read_text())["nodes"]}

    @cached_property
    def zones(self) -> list[dict[str, Any]]:
        """What /proc/zoneinfo said then."""
        return zones((self.out / "zoneinfo").read_text())

    @cached_property
    def steps(self) -> Mapping[str, int]:
        """Step -> when it began, CLOCK_MONOTONIC."""
        rows = (line.rpartition(" ") for line in (self.out / "steps").read_text().splitlines())
        return {name: round(float(at_s) * 1e9) for name, _, at_s in rows}

    @cached_property
    def frames(self) -> list[Frame]:
        with Recording(self.out / "a.wlat") as recording:
            return list(recording.frames())

    @property
    def hosts(self) -> list[Host]:
        return [frame.host for frame in self.frames if frame.host is not None]

    def moments(self) -> Iterator[Session]:
        """As it was shown after every frame; always the same object."""
        found = Session()
        for frame in self.frames:
            found.fold(frame)
            yield found

    def session(self, until_ns: int | None = None) -> Session:
        """As it was shown at that moment, or at the end."""
        found = Session()
        for frame in self.frames:
            if until_ns is None or frame.end_ns <= until_ns:
                found.fold(frame)
        return found


def record(guest: Guest, script: str, out: Path, flags: str = "", after: str = "") -> Recorded:
    """Boot, record while the script runs, do what comes after it, power off."""
    if reason := guest.unavailable():
        pytest.skip(reason)
    guest.run(f"FLAGS='{flags}'\n{BEGIN}{script}{END}{after}", timeout_s=LASTS_S, keep=out).check()
    assert (out / "status").read_text().strip() == "0", (out / "log").read_text()
    return Recorded(out)


def assert_as_built(guest: Guest, seen: Recorded) -> None:
    """Nodes, CPUs, distances and zones are those of the machine; also in the recording's first complete frame."""
    built = {number: pair for number, pair in enumerate(zip(guest.mem, guest.cpus, strict=True)) if pair != ("0", "")}
    assert set(seen.topology) == set(built), "a node with neither CPUs nor memory is none"
    for number, (mem, cpus) in built.items():
        node = seen.topology[number]
        first, _, last = cpus.partition("-")
        assert node["cpus"] == (list(range(int(first), int(last or first) + 1)) if cpus else [])
        assert node["distances"] == {str(other): 10 if other == number else guest.distance for other in built}
        assert ((node["total_bytes"] or 0) > 0) is (mem != "0")
    first_with_zones = next(frame.end_ns for frame in seen.frames if frame.zones)
    session = seen.session(until_ns=first_with_zones)
    assert {number: state.empty is None for number, state in session.nodes.items()} == {
        number: mem != "0" for number, (mem, _) in built.items()
    }
    shown = [(z.zone.node, z.zone.name, z.zone.managed) for state in session.nodes.values() for z in state.zones]
    assert shown == [(zone["node"], zone["zone"], zone["managed"]) for zone in seen.zones]
