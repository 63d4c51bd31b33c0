"""What a power cut leaves: a copy of the disk under the file system, taken in mid-recording and mounted by itself."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sessions.makers import scripted, sorted_buckets
from tests.test_engine_root import MIB, small_ext4
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording

pytestmark = pytest.mark.root
PATIENCE_S = 60.0


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
        recorder = Recorder(disk / "a.wlat", {}, durable=True, exact=True)
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


def test_a_power_cut_while_the_measured_disk_is_spared_leaves_a_file_that_opens(tmp_path: Path) -> None:
    """Recording onto the disk that is measured does no fsync, which would stall the writer: the last minute may go, no more."""
    with small_ext4(tmp_path, 64 * MIB) as disk:
        recorder = Recorder(disk / "a.wlat", {"source": "a test"}, durable=False)
        frames = scripted(200)
        for frame in frames[:100]:
            recorder.take(frame)
        _wait_for(recorder, 100)
        subprocess.run(["sync", "-f", str(disk)], check=True)  # as the kernel does by itself within half a minute
        for frame in frames[100:]:
            recorder.take(frame)
        _wait_for(recorder, 200)
        with after_a_power_cut(disk, tmp_path / "cut") as found, Recording(found / "a.wlat") as recording:
            assert len(list(recording.frames())) >= 100
        assert recorder.close("the power came back") is None


def _wait_for(recorder: Recorder, frames: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while recorder.frames < frames:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
