"""Each kernel file is read at the pace it can bear."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kernel.tree import node_files, write
from wlat_tui.bench.zoneinfo_generator import FakeNode, FakeZone, zoneinfo_text
from wlat_tui.sources.readings import SECOND_NS, ZONES_AFTER_STALL_NS, ZONES_ANYWAY_NS, Reading, Readings

START_NS = 5_000 * SECOND_NS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two nodes of one zone each."""
    nodes = [FakeNode(node, (FakeZone("Normal", 5000, 100, 50_000),)) for node in (0, 1)]
    files = {
        "proc/zoneinfo": zoneinfo_text(nodes, range(2)),
        "proc/stat": "cpu  2 2\ncpu0 1 1\ncpu1 1 1\n",
        "proc/vmstat": "nr_free_pages 10000\nallocstall_normal 3\n",
        "proc/sys/vm/min_free_kbytes": "400\n",
        "proc/sys/vm/watermark_scale_factor": "10\n",
        "proc/self/mountinfo": "20 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n",
        "sys/devices/system/node/online": "0-1\n",
    }
    return write(tmp_path, files | node_files(0, cpus="0", distance=(10, 20)) | node_files(1, cpus="1", distance=(20, 10)))


@pytest.fixture
def look(root: Path) -> Iterator[Callable[..., Reading]]:
    """Read at so many seconds after the start."""
    readings = Readings(Path("/"), "root", root)

    def at(seconds: float, *, stalled: bool = False, zones_asked: bool = False) -> Reading:
        return readings.read(START_NS + round(seconds * SECOND_NS), stalled=stalled, zones_asked=zones_asked)

    yield at
    readings.close()


def test_the_first_frame_has_everything(look: Callable[..., Reading]) -> None:
    first = look(0)
    assert [sample.node for sample in first.nodes] == [0, 1]
    assert first.zones is not None
    assert first.vmstat is not None
    assert first.host is not None
    assert first.notices == ()


def test_between_seconds_only_the_nodes_are_read(look: Callable[..., Reading]) -> None:
    look(0)
    second = look(0.2)
    assert len(second.nodes) == 2
    assert (second.zones, second.vmstat, second.pressure, second.host) == (None, None, None, None)


def test_a_stall_is_enclosed_by_readings_of_pressure(root: Path, look: Callable[..., Reading]) -> None:
    for resource in ("cpu", "io", "memory"):
        (root / "proc/pressure").mkdir(parents=True, exist_ok=True)
        (root / "proc/pressure" / resource).write_text("some avg10=0.00 avg60=0.00 avg300=0.00 total=17\n")
    assert look(0).pressure is not None
    assert look(0.2).pressure is None
    stalled = look(0.4, stalled=True)
    assert stalled.pressure is not None
    assert stalled.vmstat is None


def test_a_cpu_that_comes_or_goes_is_noticed_within_a_second(root: Path, look: Callable[..., Reading]) -> None:
    stat, node = root / "proc/stat", root / "sys/devices/system/node/node1/cpulist"
    look(0)
    for at, cpus in ((1, ""), (2, "1")):
        stat.write_text("cpu  2 2\ncpu0 1 1\n" + (f"cpu{cpus} 1 1\n" if cpus else ""))
        node.write_text(f"{cpus}\n")
        host = look(at).host
        assert host is not None
        assert host.nodes[1].cpus == tuple(map(int, cpus))
        assert look(at + 0.2).host is None


def test_vmstat_is_read_once_a_second(look: Callable[..., Reading]) -> None:
    read = [look(tick / 5).vmstat is not None for tick in range(15)]
    assert read == [tick % 5 == 0 for tick in range(15)]


def test_a_quiet_host_is_asked_for_zones_once_a_minute(look: Callable[..., Reading]) -> None:
    times = [second for second in range(181) if look(second).zones is not None]
    assert times == [0, 60, 120, 180]
    assert ZONES_ANYWAY_NS == 60 * SECOND_NS


def test_stalls_ask_for_zones_but_never_more_often_than_every_ten_seconds(look: Callable[..., Reading]) -> None:
    times = [tick / 5 for tick in range(151) if look(tick / 5, stalled=True).zones is not None]
    assert times == [0, 10, 20, 30]
    assert ZONES_AFTER_STALL_NS == 10 * SECOND_NS


def test_a_user_who_asks_gets_zones_at_once(look: Callable[..., Reading]) -> None:
    look(0)
    assert look(0.2, zones_asked=True).zones is not None


def test_a_moved_watermark_setting_is_followed_by_reading_zones(look: Callable[..., Reading], root: Path) -> None:
    look(0)
    (root / "proc/sys/vm/min_free_kbytes").write_text("800\n")
    assert look(0.4).zones is None
    assert look(1).zones is not None


def test_a_node_that_goes_away_brings_a_new_host_and_new_zones(look: Callable[..., Reading], root: Path) -> None:
    look(0)
    (root / "sys/devices/system/node/online").write_text("0\n")
    after = look(0.2)
    assert [sample.node for sample in after.nodes] == [0]
    assert after.host is not None
    assert after.zones is not None


def test_a_kernel_without_zoneinfo_or_vmstat_is_none_not_zero(tmp_path: Path) -> None:
    readings = Readings(Path("/"), "user", write(tmp_path, {"proc/self/mountinfo": "20 1 254:0 / / rw - ext4 /dev/vda rw\n"}))
    reading = readings.read(START_NS, stalled=True, zones_asked=True)
    readings.close()
    assert (reading.nodes, reading.zones, reading.vmstat) == ((), None, None)


def test_a_file_that_cannot_be_read_is_said_once_and_the_rest_goes_on(look: Callable[..., Reading], root: Path) -> None:
    look(0)
    pressure = root / "proc/pressure/memory"
    pressure.mkdir(parents=True)  # reading a directory fails like a refused file does, also for root
    first, second = look(1), look(2)
    assert len(first.notices) == 1
    assert "pressure/memory cannot be read" in first.notices[0]
    assert second.notices == ()
    assert first.vmstat is not None


def test_memory_plugged_in_is_told_with_the_zones_within_a_second(look: Callable[..., Reading], root: Path) -> None:
    look(0)
    memory, nodes = ("proc/meminfo", "MemTotal: 500 kB\nx: 1 kB\n"), ("sys/devices/system/node/has_memory", "0\n")
    for seconds, (name, text) in ((2, memory), (4, nodes)):
        assert look(seconds - 1).host is None
        write(root, {name: text})
        plugged = look(seconds)
        assert plugged.host is not None
        assert plugged.zones is not None
    write(root, {"proc/meminfo": "MemTotal: 500 kB\nx: 2 kB\n"})
    assert look(6).host is None, "only the total counts"
