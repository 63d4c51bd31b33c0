"""Run by test_two_nodes.py inside a guest with two nodes; not collected elsewhere: nothing here is true on other hosts."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import read_knobs
from tests.e2e.host import family, strays
from tests.e2e.screen import READY, choose, reclaim_locally
from tests.e2e.terminal import Terminal, eventually, read_text
from tests.numa.guest import DISTANCE

PREFIX = Path(sys.prefix)
WLAT = str(PREFIX / "bin" / "wlat")
VM = Path("/proc/sys/vm")


@pytest.fixture
def live() -> Iterator[Terminal]:
    """wlat writing to the guest's own disk; when the test is over the host must be as before."""
    before = read_knobs()
    # 200 writes/s: 5,000 would take most of an emulated CPU, and nothing here is about the rate
    with Terminal([WLAT, "--dir", "/data", "--interval", "5ms"], cwd="/") as terminal:
        terminal.wait_for(lambda text: READY in text and re.search(r"writer on CPU \d", text))
        yield terminal
    eventually(lambda: not strays(PREFIX), "engine and keeper are gone")
    assert read_knobs() == before


def test_topology_is_what_the_machine_was_built_with() -> None:
    said = json.loads(subprocess.run([WLAT, "topology", "--json"], capture_output=True, check=True).stdout)
    nodes = {node["node"]: node for node in said["nodes"]}
    assert {number: node["cpus"] for number, node in nodes.items()} == {0: [0], 1: [1]}
    assert nodes[0]["distances"] == {"0": 10, "1": DISTANCE}
    assert nodes[1]["distances"] == {"0": DISTANCE, "1": 10}
    assert nodes[0]["total_bytes"] > nodes[1]["total_bytes"] > 0
    managed = {number: sum(zone["managed"] for zone in node["zones"]) for number, node in nodes.items()}
    assert all(managed[number] * said["page_bytes"] <= nodes[number]["total_bytes"] for number in nodes)


def test_every_node_has_a_bar_and_reclaim_mode_is_put_back_on_quitting(live: Terminal) -> None:
    live.wait_for("2 nodes")
    live.wait_for(lambda text: re.search(r"^▸ 0.*free", text, re.M) and re.search(r"^▸ 1.*free", text, re.M))
    reclaim_locally(live, "7")
    live.wait_for("was 0")
    live.press("q")
    assert live.wait() == 0
    assert live.left_on() == []
    assert read_text(VM / "zone_reclaim_mode") == "0"


def test_three_settings_are_put_back_after_the_screen_is_killed(live: Terminal) -> None:
    before = read_knobs()
    raised = {
        "zone_reclaim_mode": "1",
        "min_free_kbytes": str(int(read_text(VM / "min_free_kbytes")) + 1024),
        "watermark_scale_factor": "50",
    }
    for name, value in raised.items():
        choose(live, name, value)
        eventually(lambda name=name, value=value: read_text(VM / name) == value, f"{name} is {value}\n{live.dump()}")
    running = family(live)
    live.signal(signal.SIGKILL)
    running.wait_gone()
    eventually(lambda: read_knobs() == before, "every setting is as it was")


def test_settings_are_put_back_by_restore_after_the_keeper_is_killed(live: Terminal) -> None:
    reclaim_locally(live, "1")
    choose(live, "watermark_scale_factor", "100")
    eventually(lambda: read_text(VM / "watermark_scale_factor") == "100", "watermark_scale_factor is 100")
    running = family(live)
    assert running.keeper is not None
    running.keeper.kill()
    live.press("q")
    live.wait()
    running.wait_gone()
    done = subprocess.run([WLAT, "restore"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (read_text(VM / "zone_reclaim_mode"), read_text(VM / "watermark_scale_factor")) == ("0", "10")


def test_pinning_live_moves_the_writer_from_node_to_node(live: Terminal) -> None:
    for node in (1, 0, 1):
        choose_pin(live, node)
        live.wait_for(f"writer on CPU {node}, node {node}")
        writers = [tid for tid in threads_of(family(live, with_keeper=False).engine.pid) if affinity(tid) == str(node)]
        assert writers, "the kernel's own word: a thread of the engine may run only there"
    live.press("q")
    assert live.wait() == 0


def choose_pin(live: Terminal, node: int) -> None:
    """The second and third lines of the dialog are the nodes."""
    live.press("3", "g", "enter")
    live.wait_for(lambda text: "sched_setaffinity() of the writer to 1" in text and "Enter  apply" in text)
    live.press(*["down"] * (node + 1), "enter")


def threads_of(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def affinity(task: Path) -> str:
    match = re.search(r"^Cpus_allowed_list:\s*(\S+)", (task / "status").read_text(), re.M)
    assert match is not None
    return match[1]
