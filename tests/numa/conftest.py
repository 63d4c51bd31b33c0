"""Guests are booted once for all tests that ask them, and as early as it is known that they will be asked."""

from __future__ import annotations

import os

import pytest

from tests.numa.shows import SHOWS, Collected, Stage

ALL = "WLAT_NUMA_ALL"
"""Environment variable that asks for what takes guests minutes, too."""
STAGE = pytest.StashKey[Stage]()


def _whole(config: pytest.Config) -> bool:
    """Whether somebody asked for the guests, and did not just run all tests."""
    return ALL in os.environ or config.option.markexpr == "numa"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_asks_a_guest)  # last: their guests run beside the others
    if not _whole(config):
        for item in items:
            if (mark := item.get_closest_marker("minutes")) is not None:
                item.add_marker(pytest.mark.skip(reason=f"{mark.args[0]}: 'pytest -m numa' does it, or {ALL}=1"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Only those that were selected are booted."""
    if session.config.option.collectonly or not _whole(session.config):
        return
    wanted = {item.callspec.params["show"] for item in session.items if _asks_a_guest(item)}  # type: ignore[attr-defined]
    if wanted:
        session.config.stash[STAGE] = stage = Stage()
        for kernel in SHOWS:
            if kernel in wanted:
                stage.begin(kernel)


def pytest_unconfigure(config: pytest.Config) -> None:
    if STAGE in config.stash:
        config.stash[STAGE].close()


def _asks_a_guest(item: pytest.Item) -> bool:
    return "show" in getattr(item, "fixturenames", ()) and hasattr(item, "callspec")


@pytest.fixture
def show(request: pytest.FixtureRequest) -> Collected:
    """What the guest with two nodes and this kernel left behind."""
    found = request.config.stash[STAGE].collected(request.param)
    if isinstance(found, str):
        pytest.skip(found)
    return found
