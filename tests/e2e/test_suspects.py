"""A shell loop reads a kernel file beside wlat: the screen names the shell to stop. A killed watcher is said to be missing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.e2e.host import family, kill, strays
from tests.e2e.installation import Installation
from tests.e2e.terminal import WAIT_S, Terminal, eventually
from tests.e2e.test_session import FIGURE
from wlat_tui.watch.reads import WATCH_READS

pytestmark = pytest.mark.root
LOUD = Path("/var/tmp/wlat-host.lock")
"""Held while something is done that others on this machine would feel."""


@contextmanager
def a_loop(script: str) -> Iterator[int]:
    """The pid of a shell that does this all the time, with nobody else disturbing the host."""
    with LOUD.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        loop = subprocess.Popen(["sh", "-c", f"while :; do {script}; done"], stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            yield loop.pid
        finally:
            os.killpg(loop.pid, signal.SIGKILL)
            loop.wait()


def watcher_of(terminal: Terminal) -> psutil.Process:
    """The watcher of the wlat in this terminal, once it runs."""
    found: list[psutil.Process] = []

    def runs() -> bool:
        children = psutil.Process(terminal.pid).children(recursive=True)
        found[:] = [child for child in children if "wlat_tui.watcher" in child.cmdline()]
        return bool(found)

    eventually(runs, "the watcher runs")
    return found[0]


def test_the_shell_that_loops_over_slabinfo_is_named(wlat: Installation, target: Path) -> None:
    with Terminal([wlat.wlat, "--read-only"], cwd=target, cols=160, rows=90) as terminal:
        terminal.wait_for(FIGURE, 3 * WAIT_S)
        watcher_of(terminal)
        with a_loop("cat /proc/slabinfo; sleep 0.02") as shell:
            terminal.press("w")
            try:
                said = terminal.wait_for(f"(pid {shell})")
            except AssertionError:
                if WATCH_READS in terminal.text:
                    pytest.skip("this kernel or container does not let files be watched")
                raise
        assert "cat /proc/slabinfo; sleep" in said
        assert "its cat read /proc/slabinfo" in said
        terminal.press("esc", "q")
        assert terminal.wait(3 * WAIT_S) == 0


def test_a_watcher_that_was_killed_is_said_on_the_screen_and_leaves_nothing(wlat: Installation, target: Path) -> None:
    with Terminal([wlat.wlat, "--read-only"], cwd=target, cols=160) as terminal:
        terminal.wait_for(FIGURE, 3 * WAIT_S)
        kill(watcher_of(terminal))
        terminal.wait_for("the watcher was killed by signal 9")
        terminal.press("esc", "q")
        assert terminal.wait(3 * WAIT_S) == 0
        assert terminal.left_on() == []
    eventually(lambda: not strays(wlat.prefix), "nothing runs on")


def test_a_killed_screen_takes_the_watcher_with_it(wlat: Installation, target: Path) -> None:
    with Terminal([wlat.wlat, "--read-only"], cwd=target) as terminal:
        terminal.wait_for(FIGURE, 3 * WAIT_S)
        watcher = watcher_of(terminal)
        running = family(terminal, with_keeper=False)
        terminal.signal(signal.SIGKILL)
        assert terminal.wait() == -signal.SIGKILL
        running.wait_gone()
        eventually(lambda: not watcher.is_running() or watcher.status() == psutil.STATUS_ZOMBIE, "the watcher ended")
