"""A replay is a source like any other: frames in order, at a speed, from where one seeks; nothing can be changed."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.sessions.makers import recorded, scripted, sorted_buckets
from wlat_tui.frame import Frame
from wlat_tui.sessions.recording import Recording
from wlat_tui.sources import Source
from wlat_tui.sources.replay import LONGEST_WAIT_S, ReplaySource

WHOLE = [sorted_buckets(frame) for frame in scripted(150)]


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(recorded(tmp_path / "a.wlat", WHOLE))


async def test_it_plays_everything_once_in_order(recording: Recording) -> None:
    source: Source = ReplaySource(recording, math.inf)
    assert [frame async for frame in source.frames()] == WHOLE
    assert "a.wlat" in source.description
    await source.close()


async def test_nothing_can_be_changed(recording: Recording) -> None:
    from wlat_tui.sources import SetKnob

    source = ReplaySource(recording)
    outcome = await source.apply(SetKnob("zone_reclaim_mode", "1"))
    assert not outcome.ok
    assert outcome.message == source.read_only
    await source.close()
    await source.close()


async def test_it_goes_on_from_wherever_it_is_told_to(recording: Recording) -> None:
    source = ReplaySource(recording, math.inf)
    source.go_on_at(100)
    assert [frame async for frame in source.frames()] == WHOLE[100:]
    assert source.ended
    await source.close()


async def test_a_jump_while_playing_goes_there_backwards_too(recording: Recording) -> None:
    source = ReplaySource(recording, math.inf)
    seen: list[int] = []
    async for frame in source.frames():
        seen.append(frame.end_ns)
        if len(seen) == 3:
            source.go_on_at(120)
        if len(seen) == 5:
            source.go_on_at(0)
        if len(seen) == 7:
            break
    assert seen == [WHOLE[i].end_ns for i in (0, 1, 2, 120, 121, 0, 1)]
    await source.close()


async def test_paused_it_yields_only_the_steps_asked_for(recording: Recording) -> None:
    source = ReplaySource(recording, math.inf)
    source.pause()
    arrived: asyncio.Queue[Frame] = asyncio.Queue()

    async def play() -> None:
        async for frame in source.frames():
            arrived.put_nowait(frame)

    playing = asyncio.create_task(play())
    source.step(2)
    assert [await asyncio.wait_for(arrived.get(), 30) for _ in range(2)] == WHOLE[:2]
    for _ in range(20):
        await asyncio.sleep(0)
    assert arrived.empty()
    assert source.number == 2
    source.go_on_at(90)
    source.step()
    assert (await asyncio.wait_for(arrived.get(), 30)).end_ns == WHOLE[90].end_ns
    source.play()
    await asyncio.wait_for(playing, 60)
    assert arrived.qsize() == len(WHOLE) - 91
    await source.close()


async def test_frames_come_when_they_are_due(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ReplaySource(recording, 4.0)
    waits: list[float] = []
    now = [0.0]
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now[0])

    async def wait_for(waiting: object, timeout: float | None) -> None:
        waiting.close()  # type: ignore[attr-defined]
        assert timeout is not None
        waits.append(timeout)
        now[0] += timeout
        raise TimeoutError

    monkeypatch.setattr(asyncio, "wait_for", wait_for)
    frames = []
    async for frame in source.frames():
        frames.append(frame)
        if len(frames) == 4:
            source.speed = 0.5
        if len(frames) == 6:
            break
    assert waits == pytest.approx([0.05, 0.05, 0.05, 0.4, 0.4])
    await source.close()


async def test_a_hole_in_the_recording_is_not_waited_for_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ReplaySource(Recording(recorded(tmp_path / "b.wlat", [WHOLE[0], WHOLE[149]])))
    waits: list[float] = []

    async def wait_for(waiting: object, timeout: float | None) -> None:
        waiting.close()  # type: ignore[attr-defined]
        waits.append(timeout or 0)
        source.speed = math.inf

    monkeypatch.setattr(asyncio, "wait_for", wait_for)
    assert [frame async for frame in source.frames()] == [WHOLE[0], WHOLE[149]]
    assert waits == [pytest.approx(LONGEST_WAIT_S, abs=0.5)]
    await source.close()


async def test_kept_open_it_waits_at_the_end_for_a_jump(recording: Recording) -> None:
    source = ReplaySource(recording, math.inf, stay_open=True)
    coming = source.frames()
    source.go_on_at(len(WHOLE) - 1)
    assert (await anext(coming)).end_ns == WHOLE[-1].end_ns
    waiting = asyncio.ensure_future(anext(coming))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    source.go_on_at(3)
    assert (await asyncio.wait_for(waiting, 30)).end_ns == WHOLE[3].end_ns
    await source.close()


def test_a_speed_is_above_nothing(recording: Recording) -> None:
    with recording, pytest.raises(ValueError, match="choose more than 0"):
        ReplaySource(recording, 0)


def test_a_recording_is_replayed_out_of_a_pipe_and_keys_come_from_the_terminal(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", WHOLE)
    with Terminal(
        ["sh", "-c", 'cat "$0" | "$1" -m wlat_tui replay - --paused', path, sys.executable], cwd=tmp_path
    ) as terminal:
        terminal.wait_for("REPLAY")
        terminal.wait_for("paused")
        terminal.press("q")
        assert terminal.wait() == 0, terminal.dump()


def test_out_of_a_pipe_without_a_terminal_or_from_no_pipe_it_says_so(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", WHOLE)
    with path.open("rb") as file:
        ran = subprocess.run(
            [sys.executable, "-m", "wlat_tui", "replay", "-"],
            stdin=file,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            start_new_session=True,
        )
    assert ran.returncode == 2
    assert "needs a terminal to read keys from" in ran.stderr
    with Terminal([sys.executable, "-m", "wlat_tui", "replay", "-"], cwd=tmp_path) as terminal:
        terminal.wait_for("reads a recording from stdin")
        assert terminal.wait() == 2
