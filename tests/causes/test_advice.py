"""Advice looks at the host: what is on is not recommended, switches exist under the names given, readers are named."""

from __future__ import annotations

import itertools

import pytest

from tests.causes.makers import MS, PLAN, a_host, knob, known
from wlat_tui.causes import CATALOGUE, Advice, Cause, NodeAround, cause_named
from wlat_tui.evidence import Disturbance, Thread
from wlat_tui.frame import Mode, Prewarm, Settings
from wlat_tui.mitigations import catalogue
from wlat_tui.model.session import Session

HOSTS = [
    known(),
    known(host=None, tracer=None),
    known(host=a_host("xfs", "6.1.0-32-amd64"), settings=Settings(prewarm=Prewarm.WRITE, mode=Mode.SPIN, cpus=(1,))),
    known(
        host=a_host("btrfs", "2.6.32-754.el6.x86_64"),
        knobs={"zone_reclaim_mode": knob("7"), "watermark_scale_factor": knob("200"), "thp_defrag": knob("always")},
        nodes=(NodeAround(0, -5, 3, True, 0), NodeAround(1, 90_000, 90_000, False, None)),
        settings=Settings(dma_latency_us=0, fifo_priority=10),
        fifo=True,
        dirty_pages=9,
        dirty_limit_pages=10,
    ),
]


def advice(name: str, host: int = 0) -> dict[str | None, Advice]:
    return {one.mitigation: one for one in cause_named(name).advise(HOSTS[host])}


@pytest.mark.parametrize("cause", CATALOGUE, ids=lambda cause: cause.name)
def test_advice_names_switches_that_exist_with_values_they_take(cause: Cause) -> None:
    switches = {mitigation.name: mitigation for mitigation in catalogue()}
    for host in HOSTS:
        given = cause.advise(host)
        assert given
        for one in given:
            assert one.text.endswith((".", "?")), one
            assert not (one.active and one.command), one
            if one.mitigation is not None and one.value is not None and not one.value.startswith("prefer"):
                switches[one.mitigation].request(one.value, Session())
            assert one.mitigation is None or one.mitigation in switches


def test_what_is_on_already_is_said_and_not_recommended() -> None:
    off, on = advice("direct_reclaim")["prewarm"], advice("direct_reclaim", 2)["prewarm"]
    assert (off.value, off.active, on.value, on.active) == ("write", False, None, True)
    assert advice("direct_reclaim", 3)["watermark_scale_factor"].active
    assert advice("direct_reclaim", 3)["fifo"].active
    assert advice("late_timer", 3)["dma_latency"].active
    assert advice("late_timer", 2)["mode"].active
    assert advice("run_queue", 2)["pin"].active


def test_buffer_heads_are_spoken_of_where_the_filesystem_has_them() -> None:
    assert "buffer heads" in advice("direct_reclaim")["prewarm"].text
    assert any("xfs" in one.text for one in cause_named("list_lock").advise(HOSTS[0]))
    assert not any("buffer heads" in one.text for one in cause_named("list_lock").advise(HOSTS[2]))


def test_a_kernel_without_a_setting_is_not_told_to_use_it() -> None:
    old = known(host=a_host("ext4", "2.6.32-754.el6.x86_64"))
    assert {one.mitigation for one in cause_named("direct_reclaim").advise(old)} >= {"min_free_kbytes"}
    assert "watermark_scale_factor" not in {one.mitigation for one in cause_named("direct_reclaim").advise(old)}


@pytest.mark.parametrize(("kernel", "told"), [("6.1.0", True), ("6.12.1", False)])
def test_the_limit_of_the_slabinfo_walk_is_told_where_it_is_missing(kernel: str, told: bool) -> None:
    texts = [one.text for one in cause_named("list_lock").advise(known(host=a_host("ext4", kernel)))]
    assert any("6.10" in text for text in texts) is told


def test_node_reclaim_with_the_new_lru_is_told_to_free_nothing() -> None:
    host = a_host(mglru="0x0007")
    for mode, nothing in (("1", True), ("7", False)):
        (first, *_) = cause_named("node_reclaim").advise(known(host=host, knobs={"zone_reclaim_mode": knob(mode)}))
        assert (first.mitigation, first.value) == ("zone_reclaim_mode", "0")
        assert ("frees nothing" in first.text) is nothing


def test_a_node_with_room_is_offered_by_number() -> None:
    assert advice("direct_reclaim", 3)["policy"].value == "prefer:1"
    assert "policy" not in advice("direct_reclaim")


@pytest.mark.parametrize(("cause", "file"), [("list_lock", "/proc/slabinfo"), ("zone_lock", "/proc/pagetypeinfo")])
def test_the_reader_is_named_with_whom_to_stop(cause: str, file: str) -> None:
    reader = Thread(900, "cat", f"cat {file}", None, 800, "bash loop.sh")
    seen = Disturbance("read", file, reader, PLAN, PLAN + MS)
    own = Disturbance("read", file, Thread(1, "wlat"), PLAN, PLAN + MS, own=True)
    (first, *_) = cause_named(cause).advise(known(neighbours=(own, seen)))
    assert "cat /proc" in first.text
    assert "900" in first.text
    assert first.command == "kill 800"


def test_every_cause_that_blames_others_says_of_which_kind() -> None:
    kinds = {"read", "write", "fsync", "dirtied", "preempted", "cpu", "hook"}
    assert set(itertools.chain.from_iterable((blame.kind for blame in cause.blames) for cause in CATALOGUE)) <= kinds
