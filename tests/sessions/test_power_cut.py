"""What a power cut leaves: a copy of the disk under the file system, taken in mid-recording and mounted by itself.

And what it costs to lose nothing then: no commit of the journal more than without.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.sessions.makers import scripted, sorted_buckets
from tests.test_engine_root import MIB, small_ext4
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.store import Store

pytestmark = pytest.mark.root
PATIENCE_S = 60.0
COMMIT_EVERY_S = 5
"""The kernel's own (ext4's mount option ``commit``)."""


@contextmanager
def after_a_power_cut(disk: Path, place: Path) -> Iterator[Path]:
    """The file system as it would be found now, had the power gone: its journal is replayed by the mount."""
    place.mkdir()
    shutil.copyfile(disk.parent / "image", place / "image")
    (place / "mounted").mkdir()
    subprocess.run(["mount", "-o", "loop", str(place / "image"), str(place / "mounted")], check=True)
    try:
        yield place / "mounted"
    finally:
        subprocess.run(["umount", str(place / "mounted")], check=True)


def test_a_power_cut_loses_nothing_that_was_said_to_be_in_the_file(tmp_path: Path) -> None:
    frames = scripted(300)
    with small_ext4(tmp_path, 64 * MIB) as disk:
        recorder = Recorder(disk / "a.wlat", {}, exact=True)
        for number, frame in enumerate(frames[:200]):
            recorder.take(frame)
            if number == 100:
                _wait_for(recorder, 50)  # several appends, the last ones in the -wal only
        _wait_for(recorder, 200)
        with after_a_power_cut(disk, tmp_path / "cut") as found, Recording(found / "a.wlat") as recording:
            assert list(recording.frames())[:200] == [sorted_buckets(frame) for frame in frames[:200]]
        for frame in frames[200:]:
            recorder.take(frame)
        assert recorder.close("the power came back") is None


def test_the_file_system_commits_no_oftener_for_a_recording_that_is_on_the_disk_every_second(tmp_path: Path) -> None:
    """A commit of the journal is what stalls the writer beside: a file that grows with each fsync makes one each time."""
    appends = 30
    with small_ext4(tmp_path, 64 * MIB) as disk:
        store = Store(disk / "a.wlat", {}, durable=True)
        store.append(scripted(1))
        os.sync()
        before, began = _commits(disk), time.monotonic()
        for number, frame in enumerate(scripted(appends)):
            store.append([replace(frame, begin_ns=number, end_ns=number + 1)])
        recording, by_itself = _commits(disk) - before, (time.monotonic() - began) / COMMIT_EVERY_S + 2
        store.close()
        with (disk / "grows").open("ab", buffering=0) as growing:
            before = _commits(disk)
            for _ in range(appends):
                growing.write(bytes(4096))
                os.fdatasync(growing.fileno())
            assert _commits(disk) - before >= appends  # or this kernel counts something else
    assert recording <= by_itself


def _commits(mounted: Path) -> int:
    """Of the journal of this ext4 since it was mounted (/proc/fs/jbd2/DEVICE/info)."""
    source = next(line.split()[0] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[1] == str(mounted))
    (info,) = Path("/proc/fs/jbd2").glob(f"{Path(source).name}-*/info")
    return int(info.read_text().split()[0])


def _wait_for(recorder: Recorder, frames: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while recorder.frames < frames:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
