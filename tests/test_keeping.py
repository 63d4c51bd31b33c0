"""What is kept of a live screen: a recording, notes, the last minutes in memory, and the way back into them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.sessions.makers import scripted, sorted_buckets
from tests.test_app import screen_text, until
from wlat_tui.app import WlatApp
from wlat_tui.frame import Frame, Settings
from wlat_tui.keys.record import Keeping
from wlat_tui.screens.ask import AskDialog
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.store import Store
from wlat_tui.sources.scripted import ScriptedSource

HOUR_NS = 3_600 * 10**9
STORY = scripted(300, settings=Settings(interval_ns=2_000_000))


class Told(ScriptedSource):
    """A source whose frames come as the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self._given = 0
        self._more = asyncio.Event()
        self._ended = False

    def give(self, count: int) -> None:
        self._given = min(len(STORY), self._given + count)
        self._more.set()

    async def frames(self) -> AsyncIterator[Frame]:
        at = 0
        while not self._ended:
            if at < self._given:
                yield STORY[at]
                at += 1
                continue
            self._more.clear()
            await self._more.wait()

    async def close(self) -> None:
        self._ended = True
        self._more.set()


def an_app(tmp_path: Path, **keeping: object) -> tuple[WlatApp, Told]:
    source = Told()
    fields: dict[str, object] = {"facts": {"source": "a test"}, "past_ns": HOUR_NS, "directory": tmp_path}
    return WlatApp(source, ascii=False, keeping=Keeping(**fields | keeping)), source  # type: ignore[arg-type]


def files(place: Path) -> list[str]:
    return sorted(name for name in os.listdir(place) if name.endswith(".wlat"))


async def test_r_records_what_is_seen_from_then_on_with_what_was_known_and_notes(tmp_path: Path) -> None:
    app, source = an_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        source.give(20)
        await until(pilot, lambda: app.now.frames == 20)
        await pilot.press("r")
        await until(pilot, lambda: app.recorder is not None)
        source.give(10)
        await until(pilot, lambda: app.now.frames == 30)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, AskDialog))
        await pilot.press("enter")  # an empty note is none
        assert isinstance(app.screen, AskDialog)
        app.screen.query_one(Input).value = "the backup began"
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, AskDialog))
        source.give(10)
        await until(pilot, lambda: app.now.frames == 40 and "REC wlat-" in screen_text(app))
        await pilot.press("r")
        await until(pilot, lambda: app.recorder is None and not files_open(tmp_path))
        assert [mark.text for mark in app.now.marks] == ["the backup began"]
    (name,) = files(tmp_path)
    with Recording(tmp_path / name) as recording:
        back = list(recording.frames())
        assert len(back) == 20
        assert back[0].host == STORY[0].host
        assert back[0].zones is not None
        assert recording.facts["ended"]["reason"] == "stopped by the user"
        assert [mark.text for frame in back for mark in frame.marks] == ["the backup began"]


def files_open(place: Path) -> list[str]:
    return [name for name in os.listdir(place) if name.endswith("-wal")]


async def test_leaving_ends_the_recording_in_order(tmp_path: Path) -> None:
    app, source = an_app(tmp_path, record=tmp_path / "a.wlat")
    async with app.run_test(size=(120, 40)) as pilot:
        source.give(30)
        await until(pilot, lambda: app.now.frames == 30)
        await pilot.press("q")
        await until(pilot, lambda: app.return_code is not None or not app.is_running)
    with Recording(tmp_path / "a.wlat") as recording:
        assert recording.closed
        assert len(recording) == 30
    assert os.listdir(tmp_path) == ["a.wlat"]


async def test_one_looks_back_while_measuring_goes_on_and_returns_to_now(tmp_path: Path) -> None:
    app, source = an_app(tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        source.give(150)
        await until(pilot, lambda: app.now.frames == 150 and app.past is not None and app.past.frames == 150)
        await pilot.press("W")
        await until(pilot, lambda: app.player is not None and "PAST" in screen_text(app))
        back = app.session
        assert back is not app.now
        assert back.frames < 150
        source.give(50)
        await until(pilot, lambda: app.now.frames == 200)  # nothing stands still but the view
        assert app.session.frames == back.frames
        before = app.session.frames
        await pilot.press(",")
        await until(pilot, lambda: app.session.frames == before - 1)
        await pilot.press("]")
        await until(pilot, lambda: any("this is the past" in n.message for n in app._notifications))
        await pilot.press("L")
        await until(pilot, lambda: app.session is app.now and app.player is None)
        assert "PAST" not in screen_text(app)
        assert app.now.frames == 200


async def test_a_slow_write_has_the_minutes_before_it_written_out_once(tmp_path: Path) -> None:
    app, source = an_app(tmp_path, flight_above_ns=5_000_000)
    async with app.run_test(size=(120, 40)) as pilot:
        stalled = next(i for i, f in enumerate(STORY) if f.writer and f.writer.worst[1] and f.writer.worst[1].service_ns > 5e6)
        source.give(stalled + 1)
        await until(pilot, lambda: app.now.frames == stalled + 1)
        assert files(tmp_path) == []
        await until(pilot, lambda: app.past is not None and app.past.frames == stalled + 1)
        source.give(30)
        await until(pilot, lambda: len(files(tmp_path)) == 1)
        (name,) = files(tmp_path)
        assert "flight" in name

        def whole() -> bool:
            with Recording(tmp_path / name) as recording:
                return recording.closed

        await until(pilot, lambda: not any(w.group == "recording" and w.is_running for w in app.workers))
        assert whole()
    with Recording(tmp_path / name) as recording:
        assert "a write took" in recording.facts["ended"]["reason"]
        assert len(list(recording.frames())) > stalled


async def test_f_writes_out_and_a_replay_or_no_memory_says_why_not(tmp_path: Path) -> None:
    app, source = an_app(tmp_path, past_ns=None)
    async with app.run_test(size=(120, 40)) as pilot:
        source.give(5)
        await until(pilot, lambda: app.now.frames == 5)
        await pilot.press("f")
        await until(pilot, lambda: any("Nothing is kept" in n.message for n in app._notifications))
        await pilot.press(",")
        await until(pilot, lambda: any("no past" in n.message for n in app._notifications))
    app = WlatApp(Told(), ascii=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("r")
        await until(pilot, lambda: any("already" in n.message for n in app._notifications))
    assert files(tmp_path) == []


def test_what_is_older_than_is_kept_is_rolled_up_and_nothing_counted_is_lost(tmp_path: Path) -> None:
    frames = [sorted_buckets(frame) for frame in STORY]
    store = Store(tmp_path / "a.wlat", {}, durable=False)
    for start in range(0, len(frames), 5):
        store.append(frames[start : start + 5])
        if start % 50 == 0:
            store.forget_before(frames[start].end_ns - 20 * 10**9)
    assert store.close() is None
    from tests.sessions.test_past import folded, same
    from wlat_tui.sessions.past import session_at

    with Recording(tmp_path / "a.wlat") as recording:
        assert 0 < recording.start < 200
        assert recording.start % 60 == 0
        assert list(recording.frames()) == frames[recording.start :]
        assert recording.span_ns == (frames[recording.start].begin_ns, frames[-1].end_ns)
        assert recording.known_at(recording.start).host == frames[0].host
        same(session_at(recording, 299), folded(frames))
        assert list(session_at(recording, 299).stalls) == list(folded(frames).stalls)


@pytest.mark.parametrize("limit", [{"keep_ns": 30 * 10**9}, {"most_bytes": 150_000}])
def test_a_recorder_with_a_limit_stays_below_it(tmp_path: Path, limit: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wlat_tui.sessions.recorder.ROLL_UP_EVERY_NS", 1)
    monkeypatch.setattr("wlat_tui.sessions.recorder.LEAST_BYTES", 1)
    monkeypatch.setattr("wlat_tui.sessions.recorder.APPEND_EVERY_S", 0.01)
    recorder = Recorder(tmp_path / "a.wlat", {}, exact=True, **limit)

    for i, frame in enumerate(STORY):
        recorder.take(frame)
        deadline = time.monotonic() + 60
        while i % 10 == 9 and recorder.frames <= i and time.monotonic() < deadline:
            time.sleep(0.005)
    assert recorder.close("done") is None
    with Recording(recorder.path or Path()) as recording:
        assert recording.start > 0
        assert len(recording) == 300
    if "most_bytes" in limit:
        assert (tmp_path / "a.wlat").stat().st_size < 500_000
