"""A recording in the live screen, driven through its keys."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from textual.widgets import Input, Static

from tests.sessions.makers import recorded, scripted, sorted_buckets
from tests.test_app import SIZES, only_the_textual_they_were_made_with, screen_text, until
from wlat_tui.app import WlatApp
from wlat_tui.frame import Settings, Span
from wlat_tui.model.session import Session
from wlat_tui.screens.ask import AskDialog
from wlat_tui.screens.dialogs import MitigationDialog
from wlat_tui.screens.stall import StallScreen
from wlat_tui.sessions.recording import Recording
from wlat_tui.sources.replay import ReplaySource
from wlat_tui.units import format_ns

FRAMES = [sorted_buckets(frame) for frame in scripted(70 * 5, settings=Settings(interval_ns=2_000_000))]
"""The first toggle is at 45 s."""
STALLED = [i for i, frame in enumerate(FRAMES) if frame.writer is not None and frame.writer.stalls]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("replay") / "a.wlat", FRAMES)


@pytest.fixture
def app(file: Path) -> WlatApp:
    source = ReplaySource(Recording(file), stay_open=True)
    source.pause()
    return WlatApp(source, ascii=False)


def number(app: WlatApp) -> int:
    """The frame that is shown."""
    ends = [frame.end_ns for frame in FRAMES]
    return ends.index(app.session.now_ns)


def folded(last: int) -> Session:
    session = Session()
    for frame in FRAMES[: last + 1]:
        session.fold(frame)
    return session


async def test_a_recording_that_begins_paused_shows_its_first_moment_and_steps(app: WlatApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.transport.ready and app.latency.ready)
        assert number(app) == 0
        assert "REPLAY" in screen_text(app)
        assert "paused" in screen_text(app)
        await pilot.press(".", ".", ".")
        await until(pilot, lambda: number(app) == 3)
        await pilot.press(",")
        await until(pilot, lambda: number(app) == 2)
        assert app.session.frames == 3


async def test_the_worst_write_is_one_key_away_and_everything_since_the_start_is_counted(app: WlatApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.transport.ready)
        await pilot.press("W")
        worst = max(FRAMES, key=lambda f: f.writer.worst[Span.SERVICE].service_ns if f.writer else 0)  # type: ignore[union-attr]
        await until(pilot, lambda: app.session.now_ns == worst.end_ns)
        whole = folded(FRAMES.index(worst))
        assert app.session.stall_count == whole.stall_count
        mine, real = app.session.whole(Span.SERVICE), whole.whole(Span.SERVICE)
        assert mine is not None
        assert real is not None
        assert mine.count == real.count
        assert mine.max_ns == real.max_ns
        # minutes before it are folded a moment later, and change nothing of that
        await until(pilot, lambda: [c.mark.name for c in app.session.changes] == [c.mark.name for c in whole.changes])
        assert app.session.window(Span.SERVICE) == whole.window(Span.SERVICE)


async def test_two_keys_open_the_worst_stall_with_its_cause(app: WlatApp) -> None:
    writes = [frame.writer.worst[Span.SERVICE] for frame in FRAMES if frame.writer is not None]
    worst = max((write for write in writes if write is not None), key=lambda write: write.service_ns)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.transport.ready)
        await pilot.press("W", "enter")
        await until(pilot, lambda: isinstance(app.screen, StallScreen))
        assert format_ns(worst.response_ns) in screen_text(app)
        assert "New kind" not in " ".join(notice.message for notice in app._notifications)


async def test_stalls_are_visited_one_by_one_in_both_directions(app: WlatApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.transport.ready)
        for i in range(3):
            await pilot.press("n")
            await until(pilot, lambda i=i: number(app) == STALLED[i])  # type: ignore[misc]
        await pilot.press("N")
        await until(pilot, lambda: number(app) == STALLED[1])
        await pilot.press("N", "N")
        await until(pilot, lambda: number(app) == STALLED[0])
        assert any("no stall" in notice.message for notice in app._notifications)


async def test_a_mark_and_a_time_can_be_gone_to(app: WlatApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.transport.ready)
        await pilot.press("'")
        await until(pilot, lambda: [mark.name for mark in app.session.marks] == ["zone_reclaim_mode"])
        await pilot.press("@")
        await until(pilot, lambda: isinstance(app.screen, AskDialog))
        await pilot.press(*"9h", "enter")
        await until(pilot, lambda: "ended before" in str(app.screen.query_one("#refusal", Static).render()))
        app.screen.query_one(Input).value = ""
        await pilot.press(*"30s", "enter")
        await until(pilot, lambda: number(app) == 150)
        assert list(app.session.marks) == []


async def test_playing_goes_on_from_where_one_jumped_to_and_stops_at_the_end(app: WlatApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.transport.ready)
        await pilot.press("'", *[">"] * 9, "space")
        await until(pilot, lambda: number(app) == len(FRAMES) - 1)
        await until(pilot, lambda: "at the end" in screen_text(app))
        assert "60x" in screen_text(app)
        assert app.session.writes == folded(len(FRAMES) - 1).writes
        await pilot.press(*["<"] * 9, "space")
        await until(pilot, lambda: number(app) < 300 and "playing" in screen_text(app))


async def test_the_track_is_scrubbed_with_keys_and_with_the_mouse(app: WlatApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.transport.ready and app.transport.size.width > 0)
        await pilot.click("#transport", offset=(60, 1))
        await until(pilot, lambda: abs(number(app) - 176) < 4)
        app.transport.focus()
        await pilot.pause()
        before = number(app)
        await pilot.press("left", "left")
        await until(pilot, lambda: number(app) < before)
        await pilot.press("home")
        await until(pilot, lambda: number(app) <= 2)
        await pilot.press("end")
        await until(pilot, lambda: number(app) == len(FRAMES) - 1)


async def test_toggles_show_what_was_on_and_change_nothing(app: WlatApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.mitigations.ready)
        await pilot.press("'")
        await until(pilot, lambda: bool(app.session.marks))
        await pilot.press(".", ".", "3")
        await until(pilot, lambda: app.session.knobs["zone_reclaim_mode"].current == "1")
        assert "this is a recording" in screen_text(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MitigationDialog))
        assert isinstance(app.screen, MitigationDialog)
        assert not app.screen.offering


async def test_the_past_is_left_alone_while_a_dialog_shows_it(app: WlatApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.mitigations.ready)
        await pilot.press("W")
        await pilot.press("d")
        shown = app.session
        for _ in range(10):
            await asyncio.sleep(0.1)
        assert app.session is shown
        await pilot.press("escape")
        await until(pilot, lambda: app.session is not shown)


@pytest.mark.parametrize("size", SIZES)
def test_the_replay_looks_as_it_did(
    snap_compare: object, file: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_the_textual_they_were_made_with()
    monkeypatch.setattr("wlat_tui.panels.transport.time.localtime", time.gmtime)
    source = ReplaySource(Recording(file), stay_open=True)
    source.pause()
    source.go_on_at(STALLED[-1])
    app = WlatApp(source, ascii=False)
    monkeypatch.setattr(app, "_tell_new_causes", lambda: None)

    async def ready(pilot: object) -> None:
        await until(pilot, lambda: app.mitigations.ready and app._refining is not None and app._refining.is_finished)  # type: ignore[arg-type]
        app.clear_notifications()
        app._fresh = True
        app.draw()
        await pilot.pause()  # type: ignore[attr-defined]

    assert snap_compare(app, terminal_size=size, run_before=ready)  # type: ignore[operator]
