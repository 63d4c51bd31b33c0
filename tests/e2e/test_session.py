"""A session from the first screen to the last: whatever ends it, the terminal and the host are as they were."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.e2e.host import RECLAIM, family, strays
from tests.e2e.installation import Installation
from tests.e2e.screen import READY, open_dialog, reclaim_locally
from tests.e2e.terminal import Terminal, eventually, read_text

FIGURE = re.compile(r"p99\D+\d")


def test_root_sees_figures_and_leaves_nothing(wlat: Installation, target: Path, real_knobs: Mapping[Path, str]) -> None:
    with Terminal([wlat.wlat], cwd=target) as terminal:
        terminal.wait_for(READY)
        terminal.wait_for(FIGURE)
        running = family(terminal, with_keeper=False)
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.used_alternate_screen()
        assert terminal.left_on() == []
        running.wait_gone()
    assert real_knobs[RECLAIM] == read_text(RECLAIM)


def test_an_ordinary_user_sees_figures_and_how_to_change_settings(
    wlat: Installation, target: Path, ordinary: str | None
) -> None:
    with Terminal([wlat.wlat], cwd=target, user=ordinary, env={"HOME": str(target)}) as terminal:
        terminal.wait_for(FIGURE)
        running = family(terminal, with_keeper=False)
        terminal.press("3")
        terminal.wait_for(re.compile("root|sudo", re.I))
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.left_on() == []
        running.wait_gone()


@pytest.mark.root
def test_a_toggle_acts_on_the_host_and_quitting_puts_it_back(
    wlat: Installation, target: Path, real_knobs: Mapping[Path, str]
) -> None:
    with Terminal([wlat.wlat], cwd=target) as terminal:
        terminal.wait_for(FIGURE)
        reclaim_locally(terminal)
        running = family(terminal)
        terminal.wait_for(f"was {real_knobs[RECLAIM]}")
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.left_on() == []
        running.wait_gone()
    assert read_text(RECLAIM) == real_knobs[RECLAIM]


ENDINGS: dict[str, Callable[[Terminal], None]] = {
    "TERM": lambda terminal: terminal.signal(signal.SIGTERM),
    "INT": lambda terminal: terminal.signal(signal.SIGINT),
    "HUP": lambda terminal: terminal.signal(signal.SIGHUP),
    "ctrl-c": lambda terminal: terminal.send("\x03"),
    "terminal-gone": Terminal.hang_up,
}


@pytest.mark.root
@pytest.mark.parametrize("ending", ENDINGS)
def test_however_it_is_ended_it_leaves_in_order(
    wlat: Installation, target: Path, real_knobs: Mapping[Path, str], ending: str
) -> None:
    with Terminal([wlat.wlat], cwd=target) as terminal:
        terminal.wait_for(FIGURE)
        reclaim_locally(terminal)
        running = family(terminal)
        ENDINGS[ending](terminal)
        assert terminal.wait() >= 0, "it died by the signal instead of leaving"
        assert read_text(RECLAIM) == real_knobs[RECLAIM], "put back before the screen ended"
        assert terminal.left_on() == [] or ending == "terminal-gone"
        running.wait_gone()


@pytest.mark.root
def test_a_killed_screen_is_cleaned_up_after(wlat: Installation, target: Path, real_knobs: Mapping[Path, str]) -> None:
    with Terminal([wlat.wlat], cwd=target) as terminal:
        terminal.wait_for(FIGURE)
        reclaim_locally(terminal)
        running = family(terminal)
        terminal.signal(signal.SIGKILL)
        assert terminal.wait() == -signal.SIGKILL
        running.wait_gone()
        assert read_text(RECLAIM) == real_knobs[RECLAIM]


@pytest.mark.root
def test_a_second_wlat_on_the_host_is_read_only(wlat: Installation, target: Path, real_knobs: Mapping[Path, str]) -> None:
    with Terminal([wlat.wlat], cwd=target) as first:
        first.wait_for(FIGURE)
        reclaim_locally(first)
        with Terminal([wlat.wlat], cwd=target) as second:
            second.wait_for(FIGURE)
            open_dialog(second, "zone_reclaim_mode")
            said = second.wait_for("Cannot be applied")
            assert f"pid {family(first).keeper_pid}" in said
            second.press("esc", "q")
            assert second.wait() == 0, second.dump()
        assert read_text(RECLAIM) == "1", "the second one must not put back what the first one changed"
        first.press("q")
        assert first.wait() == 0
    eventually(lambda: not strays(wlat.prefix), "no engine or keeper is left")
    assert read_text(RECLAIM) == real_knobs[RECLAIM]


@pytest.mark.root
def test_read_only_offers_no_change(wlat: Installation, target: Path, real_knobs: Mapping[Path, str]) -> None:
    with Terminal([wlat.wlat, "--read-only"], cwd=target) as terminal:
        terminal.wait_for(FIGURE)
        open_dialog(terminal, "zone_reclaim_mode")
        screen = terminal.wait_for("Cannot be applied")
        assert "Enter  apply" not in screen
        terminal.press("esc", "q")
        assert terminal.wait() == 0
    assert read_text(RECLAIM) == real_knobs[RECLAIM]
