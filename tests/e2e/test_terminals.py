"""Every kind of terminal: slow, small, without colours, without Unicode, and changing size all the time."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from tests.e2e.screen import HINT, READY
from tests.e2e.terminal import KEYS, Terminal
from tests.e2e.test_session import FIGURE
from wlat_tui.mitigations import catalogue

SLOW_BYTES_PER_S = 20_000


def test_keys_and_quitting_are_prompt_on_a_slow_link(wlat: Installation, target: Path) -> None:
    """Counted in bytes that had to cross the link first, because those are what takes the time there."""
    with Terminal([wlat.wlat], cwd=target, bytes_per_s=SLOW_BYTES_PER_S) as terminal:
        terminal.wait_for(FIGURE)
        begin = len(terminal.received)
        terminal.press("?")
        terminal.wait_for("Show this help")
        assert len(terminal.received) - begin <= 2 * SLOW_BYTES_PER_S
        terminal.press("esc")
        terminal.wait_for(READY)
        begin = len(terminal.received)
        terminal.press("q")
        assert terminal.wait() == 0
        assert len(terminal.received) - begin <= 3 * SLOW_BYTES_PER_S
        assert terminal.left_on() == []


def test_keys_that_arrive_in_one_piece_take_effect_one_after_the_other(wlat: Installation, target: Path) -> None:
    """As pasted, or typed on a slow link: to a row, its dialog, a value, apply; the same dialog again, closed by q."""
    names = [mitigation.name for mitigation in catalogue()]
    title = catalogue()[names.index("min_free_kbytes")].title
    with Terminal([wlat.wlat, "--demo"], cwd=target) as terminal:
        terminal.wait_for(FIGURE)
        terminal.send("3g" + KEYS["down"] * names.index("min_free_kbytes") + "\r180224\r\rq2")

        def applied(text: str) -> bool:
            return any(title in line and "180224" in line for line in text.splitlines())

        terminal.wait_for(lambda text: applied(text) and READY in text and HINT not in text)
        terminal.press("q")
        assert terminal.wait() == 0


def test_no_color_means_no_colours(wlat: Installation, target: Path) -> None:
    with Terminal([wlat.wlat], cwd=target, env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for(FIGURE)
        assert terminal.coloured_cells == 0, terminal.dump()
        terminal.press("q")
        assert terminal.wait() == 0
        assert not re.search(rb"\x1b\[[0-9;:]*[34]8[;:][0-9;:]*m", terminal.received)


def test_colours_are_used_otherwise(wlat: Installation, target: Path) -> None:
    with Terminal([wlat.wlat], cwd=target) as terminal:
        terminal.wait_for(FIGURE)
        assert terminal.coloured_cells > 0
        terminal.press("q")
        assert terminal.wait() == 0


def test_a_terminal_without_unicode_gets_ascii_only(wlat: Installation, target: Path) -> None:
    with Terminal([wlat.wlat], cwd=target, env={"LC_ALL": "C", "LANG": "C"}) as terminal:
        terminal.wait_for(FIGURE)
        terminal.press("3", "g", "enter")
        terminal.wait_for("Esc")
        terminal.press("esc", "q")
        assert terminal.wait() == 0
        beyond = sorted({byte for byte in terminal.received if byte > 127})
        assert beyond == []


@pytest.mark.parametrize(("cols", "rows"), [(80, 24), (120, 40), (300, 100)])
def test_every_size_shows_latency_and_nodes(wlat: Installation, target: Path, cols: int, rows: int) -> None:
    with Terminal([wlat.wlat], cols=cols, rows=rows, cwd=target) as terminal:
        terminal.wait_for(lambda text: READY in text and FIGURE.search(text) and "NUMA nodes" in text)
        terminal.press("q")
        assert terminal.wait() == 0


def test_a_storm_of_resizes_is_survived(wlat: Installation, target: Path) -> None:
    sizes = random.Random(7)
    with Terminal([wlat.wlat], cwd=target) as terminal:
        terminal.wait_for(FIGURE)
        for _ in range(60):
            terminal.resize(sizes.randint(1, 300), sizes.randint(1, 100))
            time.sleep(sizes.choice((0, 0.01, 0.05)))
        terminal.resize(100, 30)
        terminal.wait_for(lambda text: READY in text and FIGURE.search(text))
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.left_on() == []
