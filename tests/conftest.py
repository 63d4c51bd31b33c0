"""What every test may rely on: tests that need root or a guest kernel skip, with the reason, where they cannot run."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason="needs root: run the suite as root to include it"))
    # guests last: they are the slowest, and the most is known by the time they run
    items.sort(key=lambda item: item.get_closest_marker("numa") is not None)
