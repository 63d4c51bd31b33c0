"""wlat on kernels that really have two nodes."""

from __future__ import annotations

import pytest

from tests.numa.guest import Guest

pytestmark = pytest.mark.numa
MINUTES = pytest.mark.minutes("one guest sees in every run that wlat works on two nodes")
# what loads by itself and is not needed takes emulated CPUs seconds
PYTEST = (
    "WLAT_TEST_PATIENCE=3 PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -p pytest_asyncio.plugin -p no:cacheprovider"
    " -x -v --tb=short --durations=0 tests/numa/inside_guest.py"
)


def booted(guest: Guest) -> Guest:
    if reason := guest.unavailable():
        pytest.skip(reason)
    return guest


@pytest.mark.parametrize(
    ("kernel", "fs", "which"),
    [
        pytest.param("6.12", "ext4", "test", id="6.12-everything"),
        pytest.param("6.1", "xfs", "not screen", id="6.1-all-but-the-screen", marks=MINUTES),
    ],
)
def test_wlat_sees_both_nodes_and_its_switches_act_and_are_put_back(kernel: str, fs: str, which: str) -> None:
    """Runs the tests of inside_guest.py in a guest; their report is this one's failure message."""
    # huge pages raise min_free_kbytes at boot beyond what is safe to raise further on nodes this small
    guest = booted(Guest(mem=("2G", "1G"), cpus=("0", "1"), fs=fs, kernel=kernel, arguments=("transparent_hugepage=never",)))
    output = guest.run(f"{PYTEST} -k '{which}'", timeout_s=600).check()
    print(output)  # how long each took: pytest -rP
    assert " passed" in output, output
    assert "skipped" not in output, output


@MINUTES
def test_a_guest_reports_what_its_script_did() -> None:
    result = booted(Guest(mem=("1G", "0"), cpus=("0", ""))).run("cat /sys/devices/system/node/has_memory; uname -r; exit 3")
    memory_nodes, release = result.output.split()
    assert (result.status, memory_nodes) == (3, "0"), result
    assert release.startswith("6.12")
