"""wlat on kernels that really have two nodes."""

from __future__ import annotations

import pytest

from tests.numa.guest import Guest

pytestmark = pytest.mark.numa
PYTEST = "WLAT_TEST_PATIENCE=3 python -m pytest -p no:cacheprovider -p no:hypothesispytest -x -v --tb=short"


def booted(guest: Guest) -> Guest:
    if reason := guest.unavailable():
        pytest.skip(reason)
    return guest


@pytest.mark.parametrize(
    ("kernel", "fs", "which"),
    [
        pytest.param("6.12", "ext4", "test", id="6.12-everything"),
        pytest.param("6.1", "xfs", "topology or every_node", id="6.1-reading-and-toggling"),
    ],
)
def test_wlat_sees_both_nodes_and_its_switches_act_and_are_put_back(kernel: str, fs: str, which: str) -> None:
    """Runs the tests of inside_guest.py in a guest; their report is this one's failure message."""
    # huge pages raise min_free_kbytes at boot beyond what is safe to raise further on nodes this small
    guest = booted(Guest(mem=("2G", "1G"), cpus=("0", "1"), fs=fs, kernel=kernel, arguments=("transparent_hugepage=never",)))
    output = guest.run(f"{PYTEST} -k '{which}' tests/numa/inside_guest.py", timeout_s=600).check()
    assert " passed" in output, output
    assert "skipped" not in output, output


def test_a_guest_reports_what_its_script_did() -> None:
    result = booted(Guest(mem=("1G", "0"), cpus=("0", ""))).run("cat /sys/devices/system/node/has_memory; uname -r; exit 3")
    memory_nodes, release = result.output.split()
    assert (result.status, memory_nodes) == (3, "0"), result
    assert release.startswith("6.12")
