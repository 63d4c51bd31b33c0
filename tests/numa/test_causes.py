"""Stalls by reclaim made in guests, named by wlat; a control; and a machine that its hypervisor stops."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.numa.causes import KERNELS, NAMED, guest, made_in_guest
from tests.numa.test_guest import booted

pytestmark = [
    pytest.mark.numa,
    pytest.mark.skipif(os.environ.get("WLAT_CAUSES") != "1", reason="two guests thrash for ten minutes each: WLAT_CAUSES=1"),
]
ENOUGH = 3
EXPLAINED_PCT = 90.0
RARE = ("node reclaim, mode 1",)
"""One reclaim in 70 writes, of which the longest stand out: on a busy host what the emulator waits for is as frequent."""


@pytest.fixture(scope="module", params=list(KERNELS))
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What was told of every experiment, in one guest."""
    booted(guest(request.param))
    return made_in_guest(request.param, tmp_path_factory.mktemp("causes") / "out")


def of(made: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    told = made[name]
    assert "failed" not in told, told["failed"]
    return told


@pytest.mark.parametrize("name", NAMED)
def test_reclaim_is_named_by_its_right_name_and_explained(made: dict[str, dict[str, Any]], name: str) -> None:
    told = of(made, name)
    right = sum(told["counts"].get(cause, 0) for cause in NAMED[name])
    assert right >= ENOUGH, told
    if name not in RARE:
        assert 2 * right > sum(told["counts"].values()), "most of what stands out from the background is the load's"
    assert told["explained_pct"] >= EXPLAINED_PCT, told


def test_a_quiet_run_invents_no_cause(made: dict[str, dict[str, Any]]) -> None:
    """The file's own writeback may be met now and then."""
    assert not of(made, "quiet")["memory_blamed"], made["quiet"]


def test_a_machine_that_was_stopped_does_not_blame_the_kernel(made: dict[str, dict[str, Any]]) -> None:
    told = of(made, "machine stopped")
    assert told["stopped"] >= ENOUGH
    assert sum(told["stalls_when_stopped"].values()) + told["gaps"] >= ENOUGH, told
    assert not told["kernel_blamed"], told
    assert told["stalls_when_stopped"].get("steal", 0) >= ENOUGH, "when the CPU was idle"
