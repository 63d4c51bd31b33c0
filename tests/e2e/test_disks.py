"""The disk that is written to, before and after: free to go at once, and no prison when it stops answering."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.host import strays
from tests.e2e.installation import Installation
from tests.e2e.terminal import Terminal, eventually
from tests.e2e.test_session import FIGURE
from tests.test_engine_root import MIB, small_ext4

pytestmark = pytest.mark.root
SMALL_FILES = ("--segment", "4M", "--disk-limit", "16M")


@contextmanager
def frozen(disk: Path) -> Iterator[None]:
    """Every write to the filesystem sleeps in the kernel, where no signal wakes it: as on a device that no longer answers."""
    subprocess.run(["fsfreeze", "--freeze", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", str(disk)], check=True)


def test_the_disk_can_be_unmounted_right_after_quitting(wlat: Installation, tmp_path: Path) -> None:
    # leaving small_ext4 unmounts, and fails when anything still holds the disk
    with (
        small_ext4(tmp_path, 64 * MIB) as disk,
        Terminal([wlat.wlat, "--segment", "4M", "--disk-limit", "16M"], cwd=disk) as live,
    ):
        live.wait_for(FIGURE)
        live.press("q")
        assert live.process.wait(60) == 0


def test_a_writer_that_never_comes_back_does_not_keep_anybody_from_quitting(wlat: Installation, tmp_path: Path) -> None:
    with small_ext4(tmp_path, 64 * MIB) as disk:
        # not with its own feet on that disk, or they would be all that is stuck
        with Terminal([wlat.wlat, "--dir", str(disk), *SMALL_FILES], cwd="/") as live:
            live.wait_for(FIGURE)
            with frozen(disk):
                live.wait_for("a write has been inside the kernel for")
                live.press("q")
                assert live.wait() == 1
                assert "its write is stuck in the kernel" in live.text
                assert live.left_on() == []
        eventually(lambda: not strays(wlat.prefix), "the engine ends once the disk answers again")
        # its stuck thread outlives what a list of processes shows, and closes a hundred tracepoints before the file
        eventually(lambda: subprocess.run(["umount", str(disk)]).returncode == 0, "the disk can be unmounted again")
