"""Stalls, their causes and suspects on the live screen, driven through its keys on the scripted source."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from tests import test_app
from tests.test_app import (
    SIZES,
    everywhere_the_same_clock,  # noqa: F401 - for every test here too
    only_the_textual_they_were_made_with,
    ready,
    screen_text,
    settle,
    source_of,
    until,
)
from wlat_tui.app import WlatApp
from wlat_tui.frame import Settings
from wlat_tui.screens.cause_filter import CauseFilter
from wlat_tui.screens.dialogs import MitigationDialog
from wlat_tui.screens.lines import LinesScreen
from wlat_tui.screens.stall import StallScreen
from wlat_tui.screens.suspects import SuspectsScreen
from wlat_tui.sources import ChangeSettings
from wlat_tui.sources.scripted import Scenario, ScriptedSource
from wlat_tui.sources.scripted_evidence import MONITOR

LIST_LOCK = "slab list_lock"
FEWER = Settings(interval_ns=2_000_000, write_bytes=2_200)
"""As many new pages as ever, in a tenth of the writes: making them up is what costs."""


def an_app(scenario: Scenario, frames: int, **options: Any) -> WlatApp:
    return test_app.an_app(scenario, frames, settings=FEWER, **options)


async def opened(app: WlatApp, pilot: Pilot[Any], cause: str) -> StallScreen:
    """Open the newest stall of a cause."""
    await ready(app, pilot)
    at = next(i for i, one in enumerate(app.stalls.listed) if one.verdict.cause == cause)
    await pilot.press("5", "g", *["n"] * at, "enter")
    await until(pilot, lambda: isinstance(app.screen, StallScreen))
    assert isinstance(app.screen, StallScreen)
    return app.screen


async def test_the_newest_stall_is_first_and_enter_opens_it_with_phases_advice_and_the_one_to_blame() -> None:
    app = an_app("story", 250)
    async with app.run_test(size=(120, 50)) as pilot:
        await ready(app, pilot)
        listed = app.stalls.listed
        assert [one.write.end_ns for one in listed] == sorted((one.write.end_ns for one in listed), reverse=True)
        screen = await opened(app, pilot, "list_lock")
        text = screen.text(110).plain
        for words in (LIST_LOCK, "unexplained", "get_partial_node", MONITOR.command, "opens the switch: prewarm", "kswapd"):
            assert words in text
        assert "100 % of the time explained" in text


async def test_inside_a_stall_n_and_capital_n_walk_through_the_list_and_stop_at_its_ends() -> None:
    app = an_app("story", 250)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, app_first(app))
        first = screen.stall
        await pilot.press("n")
        assert screen.stall is app.stalls.listed[1]
        await pilot.press("N", "N")
        assert screen.stall is first
        await pilot.press(*["n"] * (len(app.stalls.listed) + 2))
        assert screen.stall is app.stalls.listed[-1]
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, StallScreen))


def app_first(app: WlatApp) -> str:
    return app.session.explained[-1].verdict.cause


async def test_a_filter_lists_one_cause_and_all_again() -> None:
    app = an_app("story", 250)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        everything = len(app.stalls.listed)
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.screen, CauseFilter))
        names = [top.cause.name for top in app.session.top_causes]
        await pilot.press(*["down"] * (2 + names.index("list_lock")), "enter")
        await until(pilot, lambda: app.stalls.only == "list_lock")
        top = next(top for top in app.session.top_causes if top.cause.name == "list_lock")
        assert {one.verdict.cause for one in app.stalls.listed} == {"list_lock"}
        assert len(app.stalls.listed) == top.count < everything
        assert f"only {LIST_LOCK}" in screen_text(app)
        await pilot.press("slash", "home", "down", "enter")
        await until(pilot, lambda: len(app.stalls.listed) == everything)
        assert "only in write()" in screen_text(app)
        await pilot.press("slash", "home", "enter")
        await until(pilot, lambda: app.stalls.only is None)
        assert len(app.stalls.listed) == everything


async def test_sorting_puts_the_slowest_first() -> None:
    app = an_app("story", 250)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        await pilot.press("o")
        spans = [one.verdict.span_ns for one in app.stalls.listed]
        assert spans == sorted(spans, reverse=True)
        assert "slowest first" in screen_text(app)
        await pilot.press("o", "o")
        assert "newest first" in screen_text(app)


async def test_the_cursor_stays_on_its_stall_when_new_ones_come() -> None:
    source = ScriptedSource(realtime=False, settings=FEWER)
    app = an_app("story", 250)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        await pilot.press("n", "n")
        held = app.stalls.listed[app.stalls.cursor]
        before = len(app.stalls.listed)
        for _ in range(251):
            source.next_frame()
        while len(app.session.explained) < before + 2:
            app.session.fold(source.next_frame())
        app._fresh = True
        app.draw()
        assert app.stalls.listed[app.stalls.cursor].write == held.write
        assert app.stalls.cursor > 2


async def test_a_new_kind_of_stall_is_told_once_and_what_was_there_at_the_start_is_not() -> None:
    source = ScriptedSource(realtime=False, settings=FEWER)
    app = an_app("story", 60)
    told: list[str] = []
    app.notify = lambda text, **_: told.append(text)  # type: ignore[method-assign,assignment]
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert told == []
        for _ in range(61):
            source.next_frame()
        while len(app.session.explained) < 15:
            app.session.fold(source.next_frame())
            app._fresh = True
            app.draw()
        assert len([text for text in told if LIST_LOCK in text]) == 1
        assert not any("unexplained" in text for text in told)


@pytest.mark.parametrize(("key", "suffix", "words"), [("y", ".txt", "What would help here"), ("Y", ".md", "## Stall: ")])
async def test_a_stall_is_copied_and_saved(tmp_path: Path, key: str, suffix: str, words: str) -> None:
    app = an_app("story", 250)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, "list_lock")
        screen._directory = tmp_path
        await pilot.press(key, key)
        await until(pilot, lambda: len(list(tmp_path.glob(f"stall-*{suffix}"))) == 2)
        text = next(tmp_path.glob(f"stall-*{suffix}")).read_text()
        assert app.clipboard == text
        for expected in (words, LIST_LOCK, MONITOR.command, "contention_begin"):
            assert expected in text


async def test_a_copy_that_cannot_be_saved_is_said(tmp_path: Path) -> None:
    app = an_app("story", 250)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, "list_lock")
        (tmp_path / "a").write_text("")
        screen._directory = tmp_path / "a"
        told: list[str] = []
        screen.notify = lambda text, **_: told.append(text)  # type: ignore[method-assign,assignment]
        await pilot.press("y")
        await until(pilot, lambda: told)
        assert "could not be saved" in told[0]


async def test_a_number_opens_the_switch_of_that_advice_with_the_value_chosen() -> None:
    app = an_app("story", 250)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, pilot, "list_lock")
        offered = [each.mitigation for each in screen.stall.advice() if each.mitigation is not None]
        number = 1 + offered.index("prewarm")
        await pilot.press(str(number))
        await until(pilot, lambda: isinstance(app.screen, MitigationDialog))
        dialog = app.screen
        assert isinstance(dialog, MitigationDialog)
        assert dialog._mitigation.name == "prewarm"
        assert dialog._choices[dialog.query_one(OptionList).highlighted or 0].value == "write 4M"
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)


async def test_the_screen_says_whom_to_stop_why_and_what_it_cost() -> None:
    app = an_app("story", 250)
    async with app.run_test(size=(200, 60)) as pilot:
        await ready(app, pilot)
        assert f"Stop {MONITOR.command}" in screen_text(app) or f"Stop {MONITOR.comm}" in screen_text(app)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, SuspectsScreen))
        assert isinstance(app.screen, SuspectsScreen)
        text = app.screen.text(150).plain
        assert f"Stop {MONITOR.command} (pid {MONITOR.pid})" in text
        assert text.index(MONITOR.comm) < text.index("kswapd1"), "who can be stopped comes first"
        assert "wlat itself" in text


async def test_without_permission_the_screen_says_what_it_is_blind_to_and_what_helps() -> None:
    app = an_app("blind", 250)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        assert "partly blind (w)" in screen_text(app)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, SuspectsScreen))
        assert isinstance(app.screen, SuspectsScreen)
        text = app.screen.text(110).plain
        for words in (LIST_LOCK, "perf_event_paranoid", "what helps: sudo wlat", "fsync on the same filesystem: "):
            assert words in text
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, MitigationDialog))
        assert isinstance(app.screen, MitigationDialog)
        assert "every system call of every process" in app.screen._text().plain, "the price is said first"
        await pilot.press("down", "enter")
        await until(pilot, lambda: source_of(app).requests)
        (request,) = source_of(app).requests
        assert isinstance(request, ChangeSettings)
        assert request.settings.watch_opens


async def test_before_the_first_stall_the_list_says_what_is_watched() -> None:
    app = an_app("normal", 20)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert "no write took longer than 1.00ms so far" in screen_text(app)
        assert "watching 11 of 11 kernel events" in screen_text(app)
        await pilot.press("enter", "n", "o")
        assert len(app.screen_stack) == 1


async def test_where_there_is_one_place_stalls_and_mitigations_take_turns_in_it() -> None:
    app = an_app("story", 250)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert (app.stalls.display, app.mitigations.display) == (True, False)
        assert "3 Mitigations" in screen_text(app)
        await pilot.press("3")
        await until(pilot, lambda: "Pin writer" in screen_text(app))
        assert not app.stalls.display
        await pilot.press("n")
        await until(pilot, lambda: app.stalls.display and app.stalls.has_focus)


async def test_everything_new_is_plain_ascii_where_it_is_asked_for() -> None:
    app = an_app("story", 250, ascii=True, low_bandwidth=True)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot, "list_lock")
        assert screen_text(app).isascii()
        assert screen.text(70).plain.isascii()
        await pilot.press("escape", "w")
        await until(pilot, lambda: isinstance(app.screen, SuspectsScreen))
        assert isinstance(app.screen, LinesScreen)
        assert app.screen.text(70).plain.isascii()


async def open_list_lock(pilot: Pilot[Any]) -> None:
    assert isinstance(pilot.app, WlatApp)
    await settle(pilot)
    await opened(pilot.app, pilot, "list_lock")


async def filtered(pilot: Pilot[Any]) -> None:
    assert isinstance(pilot.app, WlatApp)
    await settle(pilot)
    pilot.app.stalls.show_only("list_lock")
    await pilot.pause()


async def suspects(pilot: Pilot[Any]) -> None:
    await settle(pilot)
    await pilot.press("w")
    await until(pilot, lambda: isinstance(pilot.app.screen, SuspectsScreen))


STATES: dict[str, tuple[Scenario, Callable[[Pilot[Any]], Awaitable[None]]]] = {
    "a stall opened": ("story", open_list_lock),
    "one cause": ("story", filtered),
    "no permission": ("blind", settle),
    "suspects": ("story", suspects),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", SIZES)
def test_stalls_look_as_they_did(snap_compare: Any, size: tuple[int, int], state: str) -> None:
    only_the_textual_they_were_made_with()
    scenario, before = STATES[state]
    assert snap_compare(an_app(scenario, 250), terminal_size=size, run_before=before)
