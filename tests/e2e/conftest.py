"""The installed wlat, once per session, and a place on a disk to point it at."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import screen
from tests.e2e.installation import Installation, install

ORDINARY_USER = "nobody"


@pytest.fixture(scope="session")
def public_directory() -> Iterator[Path]:
    """A directory on a disk that every user can enter (pytest's own are closed to others, and /tmp may be memory)."""
    path = Path(tempfile.mkdtemp(prefix="wlat-e2e-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def wlat(public_directory: Path) -> Installation:
    """Installed and started once by the README's own command."""
    return install(public_directory, screen.READY)


@pytest.fixture
def target(public_directory: Path) -> Iterator[Path]:
    """An empty directory to write in; the test fails if anything is left there."""
    path = Path(tempfile.mkdtemp(prefix="target-", dir=public_directory))
    yield path
    left = sorted(os.listdir(path))
    shutil.rmtree(path)
    assert left == []


@pytest.fixture
def ordinary(wlat: Installation, target: Path) -> str | None:
    """A user without privileges who owns ``target``: None when the tests already run as one."""
    if os.geteuid() != 0:
        return None
    if not wlat.for_everyone:
        pytest.skip("no Python here that users other than root can run (Debian: apt-get install python3-venv python3-dev)")
    shutil.chown(target, ORDINARY_USER)
    return ORDINARY_USER
