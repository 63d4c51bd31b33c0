"""The listing of functions, on kernels that have it."""

from __future__ import annotations

import pytest

from tests.numa.guest import Guest

pytestmark = [pytest.mark.numa, pytest.mark.minutes("boots a guest of its own")]


@pytest.mark.parametrize(("kernel", "fs"), [("6.12", "ext4"), ("6.1", "xfs")])
def test_functions_are_listed_and_nothing_stays(kernel: str, fs: str) -> None:
    """Runs inside_guest_listing.py; its report is this one's failure message."""
    guest = Guest(mem=("1500M",), cpus=("0",), fs=fs, kernel=kernel)
    if reason := guest.unavailable():
        pytest.skip(reason)
    command = (
        "WLAT_TEST_PATIENCE=3 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -p pytest_asyncio.plugin -p no:cacheprovider"
        " -x -v -s --tb=short --durations=0 tests/numa/inside_guest_listing.py"
    )
    output = guest.run(command, timeout_s=600).check()
    print(output)
    assert " passed" in output, output
