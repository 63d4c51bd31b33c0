"""What every test may rely on: tests that need root skip where they cannot run, and this host's settings stay as they are."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest

# the same examples every time: a suite that fails now and then is not believed. Look further with WLAT_EXPLORE=1.
hypothesis.settings.register_profile("suite", deadline=None, derandomize="WLAT_EXPLORE" not in os.environ, database=None)
hypothesis.settings.load_profile("suite")

# under nohup or as a job of a script they are ignored, and every program started here would inherit that
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)

HOST_LOCK = Path("/var/tmp/wlat-tests-host.lock")
# held by the keeper of any wlat that runs here
KEEPER_LOCK = Path("/var/lib/wlat/lock")
OTHER_WLAT_S = 180
VM = Path("/proc/sys/vm")
THP = Path("/sys/kernel/mm/transparent_hugepage")
KNOBS = (
    *(VM / name for name in ("zone_reclaim_mode", "min_free_kbytes", "watermark_scale_factor", "watermark_boost_factor")),
    *(VM / name for name in ("compaction_proactiveness", "swappiness", "stat_interval", "vfs_cache_pressure")),
    *(VM / name for name in ("dirty_ratio", "dirty_bytes", "dirty_background_ratio", "dirty_background_bytes")),
    *(VM / name for name in ("dirty_writeback_centisecs", "dirty_expire_centisecs", "lowmem_reserve_ratio")),
    THP / "enabled",
    THP / "defrag",
)


def read_knobs() -> Mapping[Path, str]:
    """Every setting that wlat could conceivably change, as the kernel prints it."""
    return {path: path.read_text().strip() for path in KNOBS if path.exists()}


@pytest.fixture
def real_knobs() -> Iterator[Mapping[Path, str]]:
    """For tests that change this host's settings: one at a time, and whatever they forget is put back and fails the test."""
    with HOST_LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _wait_for_other_wlat()
        before = read_knobs()
        try:
            yield before
        finally:
            after = read_knobs()
            changed = {path: (value, after.get(path)) for path, value in before.items() if after.get(path) != value}
            for path, (value, _) in changed.items():
                _put_back(path, value)
        assert not changed, f"left changed on this host (before, after): {changed}"


def _wait_for_other_wlat() -> None:
    """Somebody may be using wlat on this host; its settings are not ours to touch then."""
    deadline = time.monotonic() + OTHER_WLAT_S
    while os.geteuid() == 0 and KEEPER_LOCK.exists():
        with KEEPER_LOCK.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    pytest.skip(f"another wlat runs on this host ({file.read().strip()}): quit it first")
        time.sleep(0.2)


def _put_back(path: Path, value: str) -> None:
    # "always [madvise] never" is written as the word in brackets; a zero in a ratio/bytes pair follows from its partner
    word = value.partition("[")[2].partition("]")[0] or value
    if not (path.name.startswith("dirty_") and word == "0"):
        path.write_text(word.replace("\t", " "))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() != 0:
        for item in items:
            if item.get_closest_marker("root"):
                item.add_marker(pytest.mark.skip(reason="needs root: run the suite as root to include it"))
    # guests last: they are the slowest, and the most is known by the time they run
    items.sort(key=lambda item: item.get_closest_marker("numa") is not None)
