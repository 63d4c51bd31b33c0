"""The recorder never waits, never loses in silence, and leaves a file that opens, whatever happens to it or to its disk."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import pytest

from tests.sessions.makers import scripted, sorted_buckets
from tests.sessions.test_thrift import a_storm
from wlat_tui.frame import Frame
from wlat_tui.sessions.recorder import LOSS, QUEUE_FRAMES, Recorder
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.store import Store

PATIENCE_S = 60


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def read(path: Path) -> list[Frame]:
    with Recording(path) as recording:
        return list(recording.frames())


def test_what_is_taken_is_in_the_file_after_closing(tmp_path: Path) -> None:
    frames = scripted(150)
    recorder = Recorder(tmp_path / "a.wlat", {"source": "a test"}, exact=True)
    for frame in frames:
        recorder.take(frame)
    assert recorder.close("the test is over") is None
    assert os.listdir(tmp_path) == ["a.wlat"]
    with Recording(recorder.path) as recording:
        assert list(recording.frames()) == [sorted_buckets(frame) for frame in frames]
        assert recording.facts["ended"]["reason"] == "the test is over"
        assert recording.facts["source"] == "a test"
    assert recorder.lost == 0


def test_what_is_in_memory_is_forgotten_without_being_written_first(monkeypatch: pytest.MonkeyPatch) -> None:
    appended: list[int] = []
    monkeypatch.setattr(Store, "append", lambda _store, frames: appended.append(len(frames)))
    recorder = Recorder(None, {})
    recorder.forget()
    for frame in scripted(5):
        recorder.take(frame)
    recorder._thread.join(PATIENCE_S)
    assert not recorder._thread.is_alive()
    assert not any(appended)


def test_a_recording_in_memory_is_copied_whole_at_any_moment() -> None:
    frames = scripted(150)
    store = Store(None, {}, durable=False)
    for begin, end in ((0, 70), (70, 75), (75, 150)):
        store.append(frames[begin:end])
        for _ in range(2):
            other = sqlite3.connect(":memory:", isolation_level=None)
            store.copy_to(other)
            with Recording.copied(other, "the memory") as recording:
                assert list(recording.frames()) == [sorted_buckets(frame) for frame in frames[:end]]
    assert store.close() is None


def test_a_disk_that_stands_still_costs_frames_not_time_and_the_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = threading.Event()
    append = Store.append
    monkeypatch.setattr(Store, "append", lambda self, frames: (stuck.wait(PATIENCE_S), append(self, frames))[1])
    frames = scripted(QUEUE_FRAMES + 50, "no_writer")
    recorder = Recorder(tmp_path / "a.wlat", {}, exact=True)
    for frame in frames:
        recorder.take(frame)  # returns although nothing is written
    lost = recorder.lost
    assert lost >= 1
    stuck.set()
    wait_for(lambda: recorder.frames >= len(frames) - lost)
    recorder.take(scripted(len(frames) + 1, "no_writer")[-1])
    recorder.close("done")
    back = read(recorder.path)
    assert len(back) == len(frames) - lost + 1
    assert sum(frame.losses.get(LOSS, 0) for frame in back) == lost


def test_what_waits_for_a_slow_disk_in_a_storm_of_stalls_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = threading.Event()
    append = Store.append
    drained: list[Frame] = []

    def slow(store: Store, frames: list[Frame]) -> None:
        drained.extend(frames)
        stuck.wait(PATIENCE_S)
        append(store, frames)

    monkeypatch.setattr(Store, "append", slow)
    recorder = Recorder(tmp_path / "a.wlat", {})
    for frame in a_storm(50):
        recorder.take(frame)
    waiting: list[Frame] = []
    wait_for(lambda: waiting.__setitem__(slice(None), [*drained, *recorder._queue.queue]) or len(waiting) == 50)
    stuck.set()
    recorder.close("done")
    assert sum(len(trace.events) for frame in waiting for trace in frame.traces) < 5_000, "of 100,000"


def test_a_defect_in_the_recorder_is_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(tmp_path / "a.wlat", {}, exact=True)

    def append(_store: Store, _frames: list[Frame]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Store, "append", append)
    recorder.take(scripted(1)[0])
    with pytest.raises(ZeroDivisionError):
        recorder.close("done")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 600 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.root
def test_a_full_disk_pauses_the_recording_and_room_resumes_it(tiny_disk: Path) -> None:
    ballast = tiny_disk / "ballast"
    recorder = Recorder(tiny_disk / "a.wlat", {}, exact=True)
    frames = scripted(200)
    recorder.take(frames[0])
    wait_for(lambda: recorder.frames == 1)
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        deque(map(file.write, repeat(bytes(4096))), maxlen=0)
    for frame in frames[1:40]:
        recorder.take(frame)
    wait_for(lambda: recorder.problem is not None)
    assert "is paused: database or disk is full" in str(recorder.problem)
    assert len(read(recorder.path)) >= 1
    ballast.unlink()
    wait_for(lambda: recorder.problem is None and recorder.frames == 40)
    assert recorder.close("done") is None
    assert read(recorder.path) == [sorted_buckets(frame) for frame in frames[:40]]


@pytest.mark.root
def test_a_disk_that_stays_full_keeps_what_came_before(tiny_disk: Path) -> None:
    recorder = Recorder(tiny_disk / "a.wlat", {}, exact=True)
    frames = scripted(600)
    for start in range(0, 600, 200):
        for frame in frames[start : start + 200]:
            recorder.take(frame)
        wait_for(lambda: recorder.problem is not None or recorder.frames == start + 200)  # noqa: B023
    wait_for(lambda: recorder.problem is not None)
    said = recorder.close("done")
    assert said is not None
    assert "disk is full" in said
    back = read(recorder.path)
    assert len(back) == recorder.frames > 50
    assert back == [sorted_buckets(frame) for frame in frames[: len(back)]]
    assert len(back) + recorder.lost == 600


def test_killed_at_any_moment_the_file_opens_and_holds_all_but_the_last_second(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from wlat_tui.sessions.recorder import Recorder\n"
        "from wlat_tui.sources.scripted import ScriptedSource\n"
        "recorder = Recorder(Path(sys.argv[1]), {}, exact=True)\n"
        "source = ScriptedSource(realtime=False, scenario='told')\n"
        "while True:\n"
        "    recorder.take(source.next_frame())\n"
        "    print(recorder.frames, flush=True)\n"
        "    time.sleep(0.02)\n"
    )
    for turn, enough in enumerate((1, 70)):
        path = tmp_path / f"{turn}.wlat"
        child = subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        written = 0
        while written < enough:
            written = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
        rest = child.stdout.read().splitlines()
        child.stdout.close()
        written = int(rest[-1]) if rest and rest[-1].isdecimal() else written
        back = read(path)
        assert len(back) >= written >= enough
        assert back == [sorted_buckets(frame) for frame in scripted(len(back))]
        assert sqlite3.connect(path).execute("SELECT count(*) FROM frame").fetchone() == (len(back),)
