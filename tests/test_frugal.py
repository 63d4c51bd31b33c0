"""What is not done: modules that no process loads, and drawing that would change nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest
from textual.geometry import Size

from tests.model.makers import a_frame, a_write, at
from wlat_tui.model.session import Session
from wlat_tui.panels import history
from wlat_tui.panels.history import HistoryPanel
from wlat_tui.panels.latency import LatencyPanel

NEITHER = {
    "asyncio",
    "textual",
    "rich",
    "click",
    "psutil",
    "ctypes",
    "sqlite3",
    "wlat_tui.frame",
    "wlat_tui.histogram",
    "wlat_tui.native",
    "wlat_tui.model",
}
SCREEN = """
import sys
import wlat_tui.cli
from wlat_tui.commands.live import live, keeping_for
from wlat_tui.running import run
from wlat_tui.app import WlatApp
from wlat_tui.renderables.line import plain
from wlat_tui.sources.live import LiveSource
from wlat_tui.sources.scripted import ScriptedSource
import asyncio

async def loaded():
    app = WlatApp(ScriptedSource())
    async with app.run_test(size=(120, 40)) as pilot:
        async with asyncio.timeout(60):
            while not any("\\u2801" <= letter <= "\\u28ff" for line in app.history._lines for letter in plain(line)):
                await pilot.pause(0.05)
        return list(sys.modules)

print(*asyncio.run(loaded()))
"""
"""As ``wlat`` does, up to the first chart."""


def loaded_by(program: str) -> set[str]:
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return set(done.stdout.split())


@pytest.mark.parametrize("name", ["keeper", "watcher"])
def test_the_small_processes_know_nothing_of_frames_and_screens(name: str) -> None:
    loaded = loaded_by(f"import sys, wlat_tui.{name}; print(*sys.modules)")
    assert f"wlat_tui.{name}" in loaded
    assert not loaded & NEITHER


def test_the_screen_loads_no_tls_no_manuals_and_no_other_command() -> None:
    loaded = loaded_by(SCREEN)
    assert {"plotext", "textual", "wlat_tui.renderables.history"} <= loaded
    parts = {name.split(".")[0] for name in loaded}
    assert not parts & {
        "ssl",
        "_ssl",
        "_hashlib",
        "unittest",
        "pygments",
        "markdown_it",
        "tree_sitter",
        "numpy",
        "PIL",
        "plotly",
        "pyarrow",
    }
    assert not loaded & {"plotext._doc.doc", "plotext._tests.run", "rich.markdown", "rich.syntax", "rich.traceback"}
    others = ("report", "compare", "experiment", "doctor", "exports", "bench", "loads")
    assert not [name for name in loaded if name.startswith(tuple(f"wlat_tui.{other}" for other in others))]


def test_what_was_left_out_can_still_be_imported() -> None:
    first = "import sys; from wlat_tui.commands.live import live; from wlat_tui.renderables.history import plotting; plotting()"
    assert {"ssl", "_hashlib", "unittest"} <= loaded_by(
        f"{first}; import ssl, _hashlib, plotext._tests.run; print(*sys.modules)"
    )


def test_the_chart_of_two_minutes_is_drawn_every_three_seconds_and_of_ten_seconds_every_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[object] = []
    monkeypatch.setattr(history, "history", lambda view, *_: drawn.append(view) or [])
    monkeypatch.setattr(HistoryPanel, "outer_size", Size(120, 12))
    session, panel = Session(), HistoryPanel(id="history")
    for steps, expected in ((0, 7), (-4, 20)):
        panel.zoom(steps)
        drawn.clear()
        for i in range(session.frames, session.frames + 100):  # 20 s
            session.fold(a_frame(i, (a_write(at(i), 10_000 * (i % 7 + 1)),)))
            panel.take(session)
            panel.body(120, 12)
        assert len(drawn) == pytest.approx(expected, abs=1)


def test_bars_that_did_not_change_are_not_drawn_again() -> None:
    session, panel = Session(), LatencyPanel(id="latency")
    session.fold(a_frame(0, (a_write(at(0), 10_000),)))
    panel.take(session)
    before = panel._bars(8)
    panel.take(session)
    assert panel._bars(8) is before
    session.fold(a_frame(1, (a_write(at(1), 900_000),)))
    panel.take(session)
    assert panel._bars(8) != before


def test_what_lives_as_long_as_the_program_is_left_out_of_the_search_for_garbage() -> None:
    told = loaded_by(
        "import gc, asyncio, weakref\n"
        "from wlat_tui.heap import keep_what_is_there\n"
        "keep_what_is_there()\n"
        "class Node: pass\n"
        "one = Node(); one.itself = one; gone = weakref.ref(one); del one\n"
        "gc.collect()\n"
        "print(gc.get_freeze_count() > 10_000, gone() is None)"
    )
    assert told == {"True"}
