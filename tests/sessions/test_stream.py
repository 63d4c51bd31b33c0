"""A recording as a stream: what goes into the pipe comes out of it, while it still grows; a reader who is slow or gone."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import threading
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.sessions.makers import scripted, sorted_buckets
from wlat_tui.commands.record import Limits, run
from wlat_tui.frame import Frame, Settings
from wlat_tui.sessions import stream
from wlat_tui.sessions.columns import Damaged
from wlat_tui.sessions.feed import Feed
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.stream import StreamStore, read_stream
from wlat_tui.sources.replay import ReplaySource
from wlat_tui.sources.scripted import ScriptedSource

QUICK = Settings(interval_ns=2_000_000)
WHOLE = [sorted_buckets(frame) for frame in scripted(40, settings=QUICK)]


def streamed(path: Path, *, each: int = 5) -> Path:
    with path.open("wb") as file:
        store = StreamStore(file.fileno())
        for start in range(0, len(WHOLE), each):
            store.append(WHOLE[start : start + each])
        assert store.close() is None
    return path


def test_what_goes_into_a_stream_comes_out_of_it(tmp_path: Path) -> None:
    with streamed(tmp_path / "a").open("rb") as file:
        blocks = list(read_stream(file.fileno()))
    assert [len(block) for block in blocks] == [5] * 8
    assert [frame for block in blocks for frame in block] == WHOLE


def test_a_stream_that_breaks_off_anywhere_gives_what_came_whole(tmp_path: Path) -> None:
    data = streamed(tmp_path / "a", each=20).read_bytes()
    for length in (*range(0, len(data), 501), len(data) // 2, len(data) - 1):
        (tmp_path / "b").write_bytes(data[:length])
        got: list[Frame] = []
        with (tmp_path / "b").open("rb") as file, pytest.raises(Damaged) if length else nullcontext():
            got.extend(frame for block in read_stream(file.fileno()) for frame in block)
        assert got == WHOLE[: len(got)]


def test_the_screen_plays_a_stream_while_it_grows_and_waits_for_more(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    store = StreamStore(theirs)
    store.append(WHOLE[:5])
    feed = Feed(ours, b"", tmp_path / "a.wlat")
    assert feed.wait()

    async def play() -> None:
        with Recording(tmp_path / "a.wlat") as recording:
            source = ReplaySource(recording, 1e6, growing=lambda: feed.growing)
            coming = source.frames()
            assert [await anext(coming) for _ in range(5)] == WHOLE[:5]
            waiting = asyncio.ensure_future(anext(coming))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not waiting.done()
            assert not source.ended
            store.append(WHOLE[5:10])
            assert await asyncio.wait_for(waiting, 60) == WHOLE[5]
            os.close(theirs)
            assert [frame async for frame in coming] == WHOLE[6:10]
            assert source.ended

    asyncio.run(play())
    assert feed.problem is None


def test_a_stream_that_is_damaged_is_kept_up_to_there_and_says_so(tmp_path: Path) -> None:
    data = streamed(tmp_path / "a").read_bytes()
    (tmp_path / "b").write_bytes(data[: len(data) // 2])
    feed = Feed(os.open(tmp_path / "b", os.O_RDONLY), b"", tmp_path / "b.wlat")
    assert feed.wait()
    feed.join()
    assert feed.problem is not None
    assert "the stream broke off after frame" in feed.problem
    with Recording(tmp_path / "b.wlat") as recording:
        frames = list(recording.frames())
    assert 0 < len(frames) < 40
    assert frames == WHOLE[: len(frames)]


def test_a_reader_who_does_not_take_it_stops_nothing_and_gets_everything_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_WAITING_BYTES", 1 << 12)
    monkeypatch.setattr(stream, "PATIENCE_S", 0.0)
    ours, theirs = os.pipe()
    store = StreamStore(theirs)
    with pytest.raises(sqlite3.OperationalError, match="does not take it"):
        store.append(1_000 * WHOLE)
    taken = store.frames
    got: list[int] = []
    reader = threading.Thread(target=lambda: got.extend(len(block) for block in read_stream(ours)))
    reader.start()
    monkeypatch.setattr(stream, "FAREWELL_S", 60.0)
    assert store.close() is None
    os.close(theirs)
    reader.join()
    os.close(ours)
    assert sum(got) == taken


def test_when_nobody_reads_any_more_the_run_ends_in_order() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    source = ScriptedSource(settings=QUICK)
    recorder = Recorder(None, {}, pipe=theirs)
    _, why = asyncio.run(run(source, recorder, Limits(None, None)))
    assert recorder.close(why) is None
    assert why == "nobody reads it any more"
    os.close(theirs)


def test_a_stream_is_shown_before_it_ends(tmp_path: Path) -> None:
    path = streamed(tmp_path / "a")
    with Terminal(
        ["sh", "-c", '(cat "$0"; exec sleep 600) | "$1" -m wlat_tui replay - --speed 60', str(path), sys.executable],
        cwd=tmp_path,
    ) as terminal:
        terminal.wait_for("REPLAY")
        terminal.wait_for("waiting for more")
