"""The live screen, driven through its keys on the scripted source."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from textual import events, timer
from textual.command import CommandPalette
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from wlat_tui.app import WlatApp
from wlat_tui.frame import Frame, KnobState, Settings
from wlat_tui.mitigations import catalogue
from wlat_tui.renderables.glyphs import ASCII
from wlat_tui.renderables.line import plain
from wlat_tui.screens.details import DetailsScreen
from wlat_tui.screens.dialogs import ConfirmDialog, MitigationDialog
from wlat_tui.screens.help import HelpScreen, key_rows
from wlat_tui.sources import ChangeSettings, DropCaches, Outcome, ReadZones, Request, SetKnob
from wlat_tui.sources.scripted import Scenario, ScriptedSource

WAIT_S = 20.0
PICTURES_TEXTUAL = "8.2.8"
SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture(autouse=True)
def everywhere_the_same_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times of day are shown as they are where wlat runs."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


class Watched(ScriptedSource):
    """A scripted source that remembers what it was asked and whether it was closed."""

    closed = 0

    def __init__(self, scenario: Scenario = "story") -> None:
        # few writes, because making them up is what costs; the pictures come from frames with all of them
        super().__init__(scenario=scenario, speed=5.0, settings=Settings(interval_ns=4_000_000))
        self.requests: list[Request] = []

    async def apply(self, request: Request) -> Outcome:
        self.requests.append(request)
        return await super().apply(request)

    async def close(self) -> None:
        self.closed += 1
        await super().close()


def an_app(
    scenario: Scenario = "story",
    frames: int = 60,
    read_only: str | None = None,
    settings: Settings = Settings(),  # noqa: B008 - it is frozen
    **options: Any,
) -> WlatApp:
    """An app that has folded *frames* frames and gets exactly one more: a still picture."""
    source = Still(scenario, frames, settings)
    source.read_only = read_only
    app = WlatApp(source, ascii=options.pop("ascii", False), **options)
    for frame in made(scenario, frames, settings):
        app.session.fold(frame)
    return app


@cache
def made(scenario: Scenario, count: int, settings: Settings) -> tuple[Frame, ...]:
    """Making up 300 frames takes seconds: each story is told once for all tests."""
    source = ScriptedSource(scenario=scenario, realtime=False, settings=settings)
    return tuple(source.next_frame() for _ in range(count))


class Still(Watched):
    """A source that has one frame left to tell."""

    def __init__(self, scenario: Scenario, told: int, settings: Settings) -> None:
        super().__init__(scenario=scenario)
        self._last = made(scenario, told + 1, settings)[-1]

    async def frames(self) -> AsyncIterator[Frame]:
        yield self._last
        await asyncio.Event().wait()


async def until(pilot: Pilot[Any], condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await pilot.pause(0.01)
    await pilot.pause()


def screen_text(app: WlatApp) -> str:
    return "\n".join(plain(line) for panel in app.panels if panel.display for line in panel._lines)


def source_of(app: WlatApp) -> Watched:
    assert isinstance(app.source, Watched)
    return app.source


async def ready(app: WlatApp, pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: app.stalls.ready and app.nodes.ready)


@pytest.mark.parametrize("size", [*SIZES, (300, 100)])
async def test_everything_is_on_the_screen_at_every_size(size: tuple[int, int]) -> None:
    app = an_app("told", 100)
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        text = screen_text(app)
        for word in ("DEMO", "ext4", "writes/s", "Worst write() latency", "100ms", "p99.99", "session", "NUMA nodes", "kswapd"):
            assert word in text
        assert "Mitigations" in text
        assert (size != (80, 24)) == ("headroom above the low watermark" in text)


async def test_a_terminal_that_is_too_small_gets_a_sentence_and_recovers() -> None:
    app = an_app()
    async with app.run_test(size=(50, 12)) as pilot:
        await until(pilot, lambda: app.session.frames > 60)
        assert not app.nodes.is_on_screen
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: app.nodes.size.height > 0)
        assert "NUMA nodes" in screen_text(app)
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: not app.latency.is_on_screen)
        assert not any(panel.is_on_screen for panel in app.panels)


async def test_a_storm_of_resizes_ends_in_a_whole_picture() -> None:
    app = an_app("told", 100)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        for width, height in [(60, 15), (300, 100), (40, 10), (131, 33), (61, 16), (200, 60)] * 2:
            await pilot.resize_terminal(width, height)
        await until(pilot, lambda: app.latency.size.width == 200)
        assert "now" in screen_text(app)
        assert sum(panel.size.height for panel in (app.status, app.latency, app.history, app.nodes, app.stalls, app.keys)) == 60


async def test_a_timer_fires_also_when_the_process_was_held_up_as_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual takes no new size of the terminal any more when the one that it waits with does not."""
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        real, held_up, fired = timer._time.get_time, iter((0.0, 0.05)), asyncio.Event()
        monkeypatch.setattr(timer._time, "get_time", lambda: real() + next(held_up, 0.05))
        app.set_timer(0.01, fired.set)
        await asyncio.wait_for(fired.wait(), WAIT_S)


@pytest.mark.parametrize(("key", "panel"), [("1", "latency"), ("2", "nodes"), ("3", "mitigations"), ("5", "stalls")])
async def test_a_number_goes_to_its_panel(key: str, panel: str) -> None:
    app = an_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("tab", key)
        assert app.focused is not None
        assert app.focused.id == panel


async def test_a_number_and_enter_in_one_burst_open_something_in_that_panel() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        for key in ("2", "enter", "tab", "3", "down", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: isinstance(app.screen, MitigationDialog))
        assert app.nodes._open == {0}
        assert isinstance(app.screen, MitigationDialog)
        assert app.screen._mitigation.name == app.mitigations._mitigations[1].name


async def test_the_chart_takes_the_place_of_the_bars_where_there_is_no_room_for_both() -> None:
    app = an_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert app.latency.display
        await pilot.press("4")
        await until(pilot, lambda: app.history.display and "span" in screen_text(app))
        assert not app.latency.display
        await pilot.press("4")
        await until(pilot, lambda: app.latency.display and not app.history.display)


async def test_zoom_changes_the_time_that_the_chart_spans() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        assert "span 2min" in screen_text(app)
        await pilot.press("minus")
        assert "span 5min" in screen_text(app)
        await pilot.press(*["plus"] * 20)
        assert "span 10s" in screen_text(app)
        await pilot.press(*["minus"] * 20)
        assert "span 24h" in screen_text(app)


async def test_enter_opens_a_node_and_shows_its_zones() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        assert "Normal" not in screen_text(app)
        await pilot.press("2", "enter")
        await until(pilot, lambda: "Normal" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Normal" not in screen_text(app))


async def test_a_click_opens_a_node_too() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        await pilot.click("#nodes", offset=(3, 2))
        await until(pilot, lambda: "Normal" in screen_text(app))


async def test_64_nodes_can_be_walked_through() -> None:
    app = an_app("many_nodes", 10)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert "more" in screen_text(app)
        rows = app.nodes.size.height - 1
        await pilot.press("2", "end")
        assert app.nodes.columns == 3
        last = max(app.session.nodes)
        await until(pilot, lambda: f"{last}" in plain(app.nodes._lines[-1]))
        await pilot.press("home")
        await until(pilot, lambda: all(f" {n} " in plain(app.nodes._lines[1]) for n in (0, 2)))
        assert f"{64 - 3 * rows} more" in screen_text(app)
        await pilot.press("down", "right", "enter")
        await until(pilot, lambda: "Normal" in screen_text(app) and "above high" in screen_text(app))
        assert app.nodes._open == {4}
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.nodes.columns == 3)
        assert (app.nodes._open, app.nodes.cursor) == (set(), 4)
        await pilot.click("#nodes", offset=(30, 1))
        assert app.nodes._open == {1}


async def test_pausing_freezes_the_view_and_not_the_model() -> None:
    source = Watched()
    app = WlatApp(source, ascii=False, refresh_hz=20)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("p")
        await until(pilot, lambda: "PAUSED" in screen_text(app))
        frozen, folded = screen_text(app), app.session.frames
        await until(pilot, lambda: app.session.frames > folded + 20)
        app.draw()
        assert screen_text(app) == frozen
        await pilot.press("space")
        await until(pilot, lambda: "PAUSED" not in screen_text(app) and screen_text(app) != frozen)


async def open_dialog(app: WlatApp, pilot: Pilot[Any], name: str) -> MitigationDialog:
    await ready(app, pilot)
    names = [m.name for m in app.mitigations._mitigations]
    await pilot.press("3", "home", *["down"] * names.index(name), "enter")
    await until(pilot, lambda: isinstance(app.screen, MitigationDialog))
    assert isinstance(app.screen, MitigationDialog)
    return app.screen


async def test_nothing_is_asked_of_the_source_until_a_choice_is_made_in_the_dialog() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_dialog(app, pilot, "min_free_kbytes")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, MitigationDialog))
        assert source_of(app).requests == []


async def test_a_choice_is_applied_with_enter() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        dialog = await open_dialog(app, pilot, "min_free_kbytes")
        assert dialog.query_one(OptionList).has_focus
        await pilot.press("down", "enter")
        await until(pilot, lambda: source_of(app).requests)
        (request,) = source_of(app).requests
        assert isinstance(request, SetKnob)
        assert request.knob == "min_free_kbytes"


async def test_a_typed_value_is_applied_and_a_wrong_one_is_refused_in_the_dialog() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        dialog = await open_dialog(app, pilot, "min_free_kbytes")
        dialog.query_one(Input).focus()
        await pilot.press(*"lots", "enter")
        await pilot.pause()
        assert app.screen is dialog
        assert source_of(app).requests == []
        dialog.query_one(Input).value = "180224"
        await pilot.press("enter")
        await until(pilot, lambda: source_of(app).requests)
        assert source_of(app).requests == [SetKnob("min_free_kbytes", "180224")]


@pytest.mark.parametrize("first", ["tab", "1"])
async def test_a_value_typed_in_one_burst_arrives_whole(first: str) -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_dialog(app, pilot, "min_free_kbytes")
        for key in (first, *("180225" if first == "tab" else "80225"), "backspace", "4", "enter"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: source_of(app).requests)
        assert source_of(app).requests == [SetKnob("min_free_kbytes", "180224")]


@pytest.mark.parametrize("pause_s", [0.0, 0.003])
async def test_keys_typed_behind_one_that_opens_a_dialog_wait_for_it(pause_s: float) -> None:
    """Enter opens the dialog, the digits are its value, Enter applies it, Enter opens it again, q closes it and only it."""
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        app.mitigations.cursor = [m.name for m in app.mitigations._mitigations].index("min_free_kbytes")
        for key in ("3", "enter", *"180224", "enter", "enter", "q", "z"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
            await asyncio.sleep(pause_s)
        await until(pilot, lambda: len(source_of(app).requests) == 2)
        assert source_of(app).requests == [SetKnob("min_free_kbytes", "180224"), ReadZones()]
        assert len(app.screen_stack) == 1
        assert not app._leaving


async def test_keys_typed_behind_the_question_of_a_dialog_answer_it() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        app.mitigations.cursor = [m.name for m in app.mitigations._mitigations].index("drop_caches")
        for key in ("3", "enter", "enter", "y", "question_mark", "escape", "z"):
            app.post_message(events.Key(key, key if len(key) == 1 else None))
        await until(pilot, lambda: len(source_of(app).requests) == 2)
        assert source_of(app).requests == [DropCaches(), ReadZones()]
        assert len(app.screen_stack) == 1


async def test_a_dialog_opened_before_the_first_reading_learns_what_can_be_done() -> None:
    app = an_app()
    knobs, app.session.knobs = app.session.knobs, {}
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.mitigations.ready)
        app.session.knobs = {}
        dialog = await open_dialog(app, pilot, "min_free_kbytes")
        assert "has not been read yet" in dialog._text().plain
        assert not dialog.query_one(OptionList).display
        app.session.knobs = knobs
        dialog.follow()
        await until(pilot, lambda: dialog.query_one(OptionList).has_focus)
        assert "has not been read yet" not in dialog._text().plain


async def test_a_dialog_follows_the_host_and_keeps_what_was_chosen_and_typed() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        dialog = await open_dialog(app, pilot, "swappiness")
        options, field = dialog.query_one(OptionList), dialog.query_one(Input)
        await pilot.press("end", "tab", "7")
        chosen = dialog._choices[options.highlighted or 0].value
        app.session.knobs = {**app.session.knobs, "swappiness": KnobState("33", "60")}
        dialog.follow()
        await pilot.pause()
        assert "Now: 33" in dialog._head().plain
        assert "33" in [choice.value for choice in dialog._choices]
        assert dialog._choices[options.highlighted or 0].value == chosen
        assert (field.value, field.has_focus) == ("7", True)
        app.session.knobs = {**app.session.knobs, "swappiness": KnobState("33", "60", "another wlat holds the settings")}
        dialog.follow()
        await until(pilot, lambda: not field.display)
        assert "another wlat holds the settings" in dialog._text().plain


@pytest.mark.parametrize("size", [(60, 15), (120, 40)])
async def test_the_setting_its_value_and_the_keys_stay_in_sight_in_every_dialog(size: tuple[int, int]) -> None:
    app = an_app()
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        for mitigation in (m for m in catalogue() if m.name in ("zone_reclaim_mode", "thp_defrag", "pin")):
            dialog = MitigationDialog(mitigation, app.session, None)
            await app.push_screen(dialog)
            await pilot.press("end", "tab", "tab")
            for name in ("#head", "#hint"):
                part = dialog.query_one(name)
                assert part.region.height >= 1
                assert dialog.query_one("#mitigation").content_region.contains_region(part.region), (mitigation.name, name)
            await pilot.press("escape")
            await until(pilot, lambda dialog=dialog: app.screen is not dialog)  # type: ignore[misc]


async def test_what_the_kernel_refused_can_still_be_switched_off() -> None:
    app = an_app("degraded")
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        tick = app.session.writer
        assert tick is not None
        app.session.writer = replace(tick, refused={**tick.refused, "fifo": errno.EPERM})
        app.session.settings = replace(app.session.settings, fifo_priority=10)
        dialog = await open_dialog(app, pilot, "fifo")
        assert "Operation not permitted" in dialog._text().plain
        await pilot.press("home", "enter")
        await until(pilot, lambda: source_of(app).requests)
        (request,) = source_of(app).requests
        assert isinstance(request, ChangeSettings)
        assert request.settings.fifo_priority == 0


async def test_dropping_caches_asks_again_and_enter_is_no() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await open_dialog(app, pilot, "drop_caches")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MitigationDialog))
        assert source_of(app).requests == []
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: source_of(app).requests)
        assert source_of(app).requests == [DropCaches()]


async def test_a_read_only_source_explains_and_offers_nothing() -> None:
    app = an_app(read_only="this is a recording")
    async with app.run_test(size=(120, 40)) as pilot:
        dialog = await open_dialog(app, pilot, "min_free_kbytes")
        assert not dialog.query_one(OptionList).display
        assert not dialog.query_one(Input).display
        await pilot.press("enter", "y", "5", "escape")
        await until(pilot, lambda: not isinstance(app.screen, MitigationDialog))
        assert source_of(app).requests == []
        assert "read-only" in screen_text(app)


async def test_without_root_the_dialog_says_why_and_how() -> None:
    app = an_app("degraded")
    async with app.run_test(size=(120, 40)) as pilot:
        dialog = await open_dialog(app, pilot, "min_free_kbytes")
        unavailable = dialog._unavailable
        assert unavailable is not None
        assert not dialog.query_one(OptionList).display
        text = dialog._text().plain
        assert unavailable.reason in text
        assert unavailable.fix is None or unavailable.fix in text


async def test_a_stuck_write_is_seen_growing() -> None:
    app = WlatApp(Watched(scenario="inflight"), ascii=False, refresh_hz=20)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "inside the kernel for 3" in screen_text(app))
        await until(pilot, lambda: "inside the kernel for 5" in screen_text(app))
        assert "now over" in screen_text(app)


async def test_trouble_is_told_with_its_reason() -> None:
    app = an_app("trouble", 60)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        assert "ENOSPC" in screen_text(app)


async def test_why_there_is_no_writer_is_told_whole_even_at_80_columns() -> None:
    app = an_app("no_writer", 10)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        assert "choose another --dir" in screen_text(app)


async def test_the_threshold_moves_in_steps() -> None:
    app = WlatApp(Watched(), ascii=False)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: app.session.settings.threshold_ns == 2_000_000)
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: app.session.settings.threshold_ns == 1_000_000)


async def test_v_switches_everything_drawn_between_service_and_response_also_when_paused() -> None:
    app = an_app("told", 250)
    async with app.run_test(size=(200, 60)) as pilot:
        await ready(app, pilot)
        text = screen_text(app)
        for words in ("service now", "worst service per 0.5s", "worst so far (service)", "worst service ·"):
            assert words in text
        await pilot.press("p", "v")
        await until(pilot, lambda: "response now" in screen_text(app))
        text = screen_text(app)
        for words in ("worst response per 0.5s", "worst so far (response)", "worst response ·"):
            assert words in text


async def test_the_details_show_everything_and_the_node_panel_what_concerns_the_node() -> None:
    app = an_app("degraded", 100)
    async with app.run_test(size=(120, 60)) as pilot:
        await ready(app, pilot)
        await pilot.press("2", "enter")
        await until(pilot, lambda: "writeback" in screen_text(app))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, DetailsScreen))
        assert isinstance(app.screen, DetailsScreen)
        text = app.screen.text(100).plain
        for words in (
            "MGLRU n/a: not built",
            "PSI n/a: this kernel has no",
            "zone_reclaim_failed",
            "protection",
            "DMA32",
            "promo",
        ):
            assert words in text
        assert "distances 10 to 0, 21 to 1" in text
        assert "refused: memory lock: " in text
        assert "limits.d" in text
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, DetailsScreen))


async def test_the_details_are_drawn_though_their_size_is_known_before_they_are_mounted() -> None:
    app = an_app("many_nodes", 10)
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        details = DetailsScreen(app.session, ASCII)
        details.redraw(80)
        await app.push_screen(details)
        await until(pilot, lambda: details.query("#facts"))
        text = str(details.query_one("#facts", Static).render())
        assert "node 63" in text
        assert "distances 10 to 63, 21 to 0-62" in text


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_refused_is_told_in_the_status_and_at_its_mitigation(size: tuple[int, int]) -> None:
    app = an_app("degraded", 110)
    tick = app.session.writer
    assert tick is not None
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        assert "refused: memory lock" in screen_text(app)
        refused = {**tick.refused, "fifo": errno.EPERM, "policy": errno.EINVAL, "dma_latency": errno.EACCES}
        app.session.writer = replace(tick, refused=refused)
        app._fresh = True
        app.draw()
        text = screen_text(app)
        assert "4 refused (d)" in text or "refused: Memory policy, SCHED_FIFO, CPU sleep limit, memory lock" in text
        assert "not in force: " in text


async def test_why_nothing_can_be_changed_is_told_once() -> None:
    app = an_app("degraded")
    async with app.run_test(size=(200, 60)) as pilot:
        await ready(app, pilot)
        assert screen_text(app).count("changing it needs root") == 1


async def test_zones_are_read_on_request() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        await pilot.press("z")
        await until(pilot, lambda: ReadZones() in source_of(app).requests)


async def test_the_help_shows_every_key() -> None:
    app = an_app()
    async with app.run_test(size=(100, 50)) as pilot:
        await ready(app, pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert isinstance(app.screen, HelpScreen)
        text = app.screen._text().plain
        for binding in app.BINDINGS:
            assert binding.tooltip in text  # type: ignore[union-attr]
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))


def test_keys_are_named_as_they_stand_on_the_keyboard() -> None:
    names = {name for keys, _ in key_rows(WlatApp.BINDINGS) for name in keys.split()}
    assert {"/", "[", ",", "q", "W", "Space", "Ctrl+P", "Shift+Tab"} <= names
    assert names.isdisjoint({"Slash", "Comma", "Full_Stop", "At", "Plus", "Minus", "Apostrophe", "Question_Mark"})


async def test_low_bandwidth_hides_the_chart_and_sweeps() -> None:
    app = an_app()
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        assert app.history.display
        await pilot.press("b")
        await until(pilot, lambda: "one sweep" in screen_text(app) and "low-bandwidth" in screen_text(app))
        assert not app.history.display
        await pilot.press("b")
        await until(pilot, lambda: app.history.display and "one sweep" not in screen_text(app))


async def test_pictures_are_saved_and_never_overwritten(tmp_path: Path) -> None:
    app = an_app(picture_dir=tmp_path / "new")
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press("s", "s", "s")
        await until(pilot, lambda: len(list((tmp_path / "new").glob("wlat-*.svg"))) == 3)


async def test_the_palette_knows_every_key_by_name_and_runs_it() -> None:
    app = an_app("told", 10)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        listed = {command.title: command for command in app.get_system_commands(app.screen)}
        assert {"Quit", "Pause", "Low bandwidth", "Theme", "Read zones"} <= set(listed)
        await pilot.press("ctrl+p")
        await until(pilot, lambda: isinstance(app.screen, CommandPalette))
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        listed["Pause"].callback()
        await until(pilot, lambda: app.paused)


async def test_only_rows_that_changed_are_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = an_app("told", 10)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        panel = app.keys
        whole = Region(0, 0, *panel.size)
        before = panel.render_lines(whole)
        assert [strip is kept for strip, kept in zip(panel.render_lines(whole), before, strict=True)] == [True] * len(before)
        part = panel.render_lines(Region(3, 0, 10, 1))
        assert [strip.text for strip in part] == [before[0].text[3:13]]
        monkeypatch.setattr(type(panel), "_heading", lambda _self, _width: (("other", ""),))
        panel.redraw()
        assert panel.render_lines(whole)[0].text.rstrip() == "other"


async def test_themes_change_the_colours() -> None:
    app = an_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        before = app.theme
        await pilot.press("t")
        await until(pilot, lambda: app.theme != before)


async def test_plain_ascii_draws_only_ascii() -> None:
    app = an_app("told", 100, ascii=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await ready(app, pilot)
        assert screen_text(app).isascii()


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_quitting_closes_the_source_before_the_screen(key: str) -> None:
    app = an_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await ready(app, pilot)
        await pilot.press(key)
        await until(pilot, lambda: source_of(app).closed)
    assert app.return_value == 0


async def test_a_source_that_breaks_ends_the_screen_with_an_error() -> None:
    class Broken(Watched):
        async def frames(self) -> AsyncIterator[Frame]:
            yield self.next_frame()
            raise RuntimeError("the engine spoke nonsense")

    app = WlatApp(Broken(), ascii=False)
    with pytest.raises(Exception, match="nonsense"):
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: not app.is_running)


async def settle(pilot: Pilot[Any]) -> None:
    app = pilot.app
    assert isinstance(app, WlatApp)
    await ready(app, pilot)
    # a picture of headings alone would never change
    shown = [panel for panel in (app.latency, app.nodes, app.stalls, app.mitigations) if panel.display]
    await until(pilot, lambda: all(panel.size.height > 1 and len(panel._lines) == panel.size.height for panel in shown))
    await until(pilot, lambda: not app.history.display or len(app.history._lines) > 1)


async def pause(pilot: Pilot[Any]) -> None:
    await settle(pilot)
    await pilot.press("p")


STATES: dict[str, tuple[Scenario, Callable[[Pilot[Any]], Awaitable[None]]]] = {
    "normal": ("told", settle),
    "without root": ("degraded", settle),
    "paused": ("told", pause),
    "below min": ("below_min", settle),
}


def only_the_textual_they_were_made_with() -> None:
    """Another release draws its own widgets a little differently: that would not be a defect of wlat."""
    installed = version("textual")
    if installed != PICTURES_TEXTUAL:
        pytest.skip(
            f"the pictures were made with textual {PICTURES_TEXTUAL}, here is {installed}: --snapshot-update makes new ones"
        )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", SIZES)
def test_the_screen_looks_as_it_did(snap_compare: Any, size: tuple[int, int], state: str) -> None:
    only_the_textual_they_were_made_with()
    scenario, before = STATES[state]
    assert snap_compare(an_app(scenario, 250 if scenario == "told" else 60), terminal_size=size, run_before=before)


def test_a_dialog_looks_as_it_did(snap_compare: Any) -> None:
    only_the_textual_they_were_made_with()

    async def before(pilot: Pilot[Any]) -> None:
        assert isinstance(pilot.app, WlatApp)
        await open_dialog(pilot.app, pilot, "zone_reclaim_mode")

    assert snap_compare(an_app(), terminal_size=(100, 30), run_before=before)
