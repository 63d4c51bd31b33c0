"""kill -9 of any process at any moment, fifty times: no setting stays changed, nothing keeps running, no file is left."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import read_knobs
from tests.e2e.host import Family, family, kill, strays
from tests.e2e.installation import Installation
from tests.e2e.screen import READY, choose, reclaim_locally
from tests.e2e.terminal import Terminal, eventually

KILLS = 50
LEDGER = Path("/var/lib/wlat")
# knob -> values that are safe on any host
TOGGLES = {"zone_reclaim_mode": ("1", "3", "7"), "swappiness": ("55", "65"), "compaction_proactiveness": ("0", "10")}


@pytest.mark.root
def test_settings_survive_fifty_kills_of_any_process(wlat: Installation, target: Path, real_knobs: Mapping[Path, str]) -> None:
    dice = random.Random(20)
    killed = {"screen": 0, "engine": 0, "keeper": 0}
    while sum(killed.values()) < KILLS:
        victim = dice.choice(list(killed))
        round_ = f"kill {sum(killed.values()) + 1} of {KILLS} ({victim})"
        with Terminal([wlat.wlat], cwd=target) as terminal:
            terminal.wait_for(READY)
            running = family(terminal)
            type_toggles(terminal, dice)
            time.sleep(dice.random() * 0.5)
            kill(getattr(running, victim))
            killed[victim] += 1
            leave(terminal, victim, dice)
            running.wait_gone()
        if victim == "keeper":
            put_back_after_the_keeper(wlat, target, dice)
        eventually(lambda: read_knobs() == real_knobs, f"{round_}: every knob is as it was")
        eventually(lambda: not strays(wlat.prefix), f"{round_}: nothing runs on")
        assert not list(LEDGER.glob("originals-*")), round_
        assert list(target.iterdir()) == [], round_
    assert min(killed.values()) > 0


def type_toggles(terminal: Terminal, dice: random.Random) -> None:
    """One toggle for certain, a second one typed ahead so that the kill may fall into it."""
    reclaim_locally(terminal, dice.choice(TOGGLES["zone_reclaim_mode"]))
    if dice.random() < 0.7:
        name = dice.choice(list(TOGGLES))
        choose(terminal, name, dice.choice(TOGGLES[name]))


def leave(terminal: Terminal, victim: str, dice: random.Random) -> None:
    if victim == "screen":
        assert terminal.wait() == -signal.SIGKILL
        return
    if dice.random() < 0.5:
        terminal.signal(signal.SIGTERM)
    else:
        terminal.press("esc", "q")
    assert terminal.wait() >= 0


def put_back_after_the_keeper(wlat: Installation, target: Path, dice: random.Random) -> None:
    """Nobody was left to restore: the next start does it, or `wlat restore` by hand."""
    if dice.random() < 0.5:
        done = subprocess.run([wlat.wlat, "restore"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return
    with Terminal([wlat.wlat], cwd=target) as terminal:
        terminal.wait_for(READY)
        running: Family = family(terminal)
        terminal.press("q")
        terminal.wait()
        running.wait_gone()
