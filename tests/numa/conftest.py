"""Guests are booted once for all tests that ask them, and as early as it is known that they will be asked."""

from __future__ import annotations

import os

import pytest

from tests.numa.shows import ALL, SHOWS, Collected, Stage

STAGE = pytest.StashKey[Stage]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Only those that were selected are booted; by themselves both at once, else one after the other beside the other tests."""
    if session.config.option.collectonly or ALL not in os.environ:
        return
    wanted = {item.callspec.params["show"] for item in session.items if _asks_a_guest(item)}  # type: ignore[attr-defined]
    if wanted:
        together = all(item.get_closest_marker("numa") for item in session.items)
        session.config.stash[STAGE] = stage = Stage(together)
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
