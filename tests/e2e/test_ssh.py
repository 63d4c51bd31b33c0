"""Over a real ssh connection that is cut in the middle of things: the host is put back though nobody is there to see it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import read_knobs
from tests.e2e.host import Family, family_of
from tests.e2e.installation import Installation
from tests.e2e.screen import choose, reclaim_locally
from tests.e2e.ssh import Sshd
from tests.e2e.terminal import Terminal, eventually
from tests.e2e.test_session import FIGURE

pytestmark = pytest.mark.root


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    if reason := Sshd.missing():
        pytest.skip(reason)
    with Sshd(tmp_path) as server:
        yield server


def running_on(server: Sshd) -> Family:
    eventually(lambda: server.programs(), "the program runs on the other side")
    return family_of(server.programs()[0])


def test_quitting_over_ssh_leaves_the_terminal_sane(
    wlat: Installation, target: Path, sshd: Sshd, real_knobs: Mapping[Path, str]
) -> None:
    with sshd.connect([wlat.wlat], target) as terminal:
        terminal.wait_for(FIGURE)
        reclaim_locally(terminal)
        running = running_on(sshd)
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.left_on() == []
        running.wait_gone()
    assert read_knobs() == real_knobs


def lose_the_server(terminal: Terminal, server: Sshd) -> None:
    del terminal
    for process in server.sessions():
        process.kill()


def lose_the_client(terminal: Terminal, server: Sshd) -> None:
    del server
    terminal.signal(signal.SIGKILL)


def close_the_window(terminal: Terminal, server: Sshd) -> None:
    del server
    terminal.hang_up()


@pytest.mark.parametrize("cut", [lose_the_server, lose_the_client, close_the_window])
def test_a_connection_cut_in_mid_toggle_is_cleaned_up_after(
    wlat: Installation, target: Path, sshd: Sshd, real_knobs: Mapping[Path, str], cut: Callable[[Terminal, Sshd], None]
) -> None:
    with sshd.connect([wlat.wlat], target) as terminal:
        terminal.wait_for(FIGURE)
        reclaim_locally(terminal)
        running = running_on(sshd)
        choose(terminal, "swappiness", "55")  # still being written when the line goes
        cut(terminal, sshd)
        terminal.wait()
        running.wait_gone()
        eventually(lambda: read_knobs() == real_knobs, "every knob is as it was")
