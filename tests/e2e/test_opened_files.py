"""What hurts the host to read is never opened: seen from outside, by strace, of every process of the installed program."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.host import family
from tests.e2e.installation import Installation
from tests.e2e.terminal import WAIT_S, Terminal
from tests.e2e.test_session import FIGURE

# each walks or locks what the writer under test needs; stat_refresh also interrupts every CPU
HURTS = re.compile(r'"[^"]*/(?:slabinfo|pagetypeinfo|stat_refresh)"')


def traced(wlat: Installation, log: Path, *arguments: str) -> list[str]:
    return ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=open,openat,openat2,creat", wlat.wlat, *arguments]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    if shutil.which("strace") is None:
        pytest.skip("no strace on this machine: apt-get install strace")
    tried = subprocess.run(["strace", "-qq", "-o", tmp_path / "try", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")
    return tmp_path / "log"


def test_the_live_screen_opens_nothing_that_hurts(
    wlat: Installation, target: Path, log: Path, real_knobs: Mapping[Path, str]
) -> None:
    with Terminal(traced(wlat, log), cwd=target) as terminal:
        terminal.wait_for(FIGURE, 3 * WAIT_S)
        family(terminal, with_keeper=False)
        terminal.press("z", "2", "enter", "3", "g", "enter")
        terminal.wait_for("Esc")
        terminal.press("esc", "4", "?")
        terminal.wait_for("Show this help")
        terminal.press("esc", "q")
        assert terminal.wait(3 * WAIT_S) == 0
    opened = log.read_text()
    assert not HURTS.findall(opened)
    assert re.search(r'"[^"]*/node0/vmstat"', opened), "the trace must have seen the readers at work"
    assert real_knobs


@pytest.mark.parametrize(
    "arguments", ["doctor", "doctor --json", "doctor --observer", "topology", "topology --json", "restore"]
)
def test_commands_open_nothing_that_hurts(
    wlat: Installation, target: Path, log: Path, real_knobs: Mapping[Path, str], arguments: str
) -> None:
    done = subprocess.run(traced(wlat, log, *arguments.split()), cwd=target, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    opened = log.read_text()
    assert not HURTS.findall(opened)
    assert f"{wlat.prefix}/" in opened, "the trace must have seen the program"
    assert real_knobs
