"""The live screen in a real pty: slow links, signals, a terminal that goes away, colours and characters."""

from __future__ import annotations

import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.terminal import Terminal

PROGRAM = """
import sys
from wlat_tui.running import run
from wlat_tui.sources.scripted import ScriptedSource

class Source(ScriptedSource):
    async def close(self):
        await super().close()
        if not self.put_back:
            self.put_back = True
            with open(sys.argv[2], "ab") as file:
                file.write(b"put back\\n")
    put_back = False

options = eval(sys.argv[1])
if options.pop("changes_meanwhile", False):
    import termios
    from wlat_tui.driver import TerminalDriver
    read_size = TerminalDriver._get_terminal_size

    def change_meanwhile(driver):
        size = read_size(driver)
        if tuple(size) == (200, 60):
            termios.tcsetwinsize(0, (25, 90))  # comes with its signal
        return size

    TerminalDriver._get_terminal_size = change_meanwhile
sys.exit(run(Source(**options.pop("source", {})), **options))
"""
QUIT = re.compile(r"\bquit\b")


@contextmanager
def running(
    *,
    cols: int = 100,
    rows: int = 30,
    env: dict[str, str | None] | None = None,
    bytes_per_s: float | None = None,
    **options: object,
) -> Iterator[Terminal]:
    with tempfile.NamedTemporaryFile(prefix="wlat-driver-") as said:
        path = said.name
        argv = [sys.executable, "-c", PROGRAM, repr(options), path]
        environment: dict[str, str | None] = {"LC_ALL": "C.UTF-8", "NO_COLOR": None, "SSH_CONNECTION": None} | (env or {})
        with Terminal(argv, cols=cols, rows=rows, env=environment, bytes_per_s=bytes_per_s) as terminal:
            yield terminal
            with open(path, encoding="ascii") as file:
                assert file.read() == "put back\n", "the source must be closed exactly once, whatever ends the program"


def test_q_quits_with_success_and_gives_the_terminal_back() -> None:
    with running() as terminal:
        terminal.wait_for("NUMA nodes")
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.left_on() == []
        assert terminal.used_alternate_screen()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_in_the_same_orderly_way(number: signal.Signals) -> None:
    with running() as terminal:
        terminal.wait_for("NUMA nodes")
        terminal.signal(number)
        assert terminal.wait() == 128 + number
        assert terminal.left_on() == []


def test_a_terminal_that_vanishes_ends_it_too() -> None:
    with running() as terminal:
        terminal.wait_for("NUMA nodes")
        terminal.hang_up()
        assert terminal.wait() == 128 + signal.SIGHUP


def test_a_signal_during_a_dialog_ends_it_too() -> None:
    with running() as terminal:
        terminal.wait_for("NUMA nodes")
        terminal.press("3", "enter")
        terminal.wait_for("change nothing")
        terminal.signal(signal.SIGTERM)
        assert terminal.wait() == 128 + signal.SIGTERM
        assert terminal.left_on() == []


@pytest.mark.parametrize("bytes_per_s", [20_000, 2_000])
def test_on_a_slow_link_keys_are_answered_and_it_quits_cleanly(bytes_per_s: int) -> None:
    with running(cols=80, rows=24, bytes_per_s=bytes_per_s) as terminal:
        terminal.wait_for("NUMA nodes", 60)
        terminal.press("p")
        terminal.wait_for("PAUSED", 60)
        terminal.press("q")
        assert terminal.wait(60) == 0
        assert terminal.left_on() == []


def test_a_terminal_that_takes_nothing_at_all_does_not_hold_it_up() -> None:
    with running() as terminal:
        terminal.wait_for("NUMA nodes")
        terminal.bytes_per_s = 1e-6
        time.sleep(1)
        terminal.signal(signal.SIGTERM)
        terminal.process.wait(60)
        terminal.bytes_per_s = None
        assert terminal.wait() == 128 + signal.SIGTERM


def test_a_slow_link_is_noticed_and_the_low_bandwidth_view_comes_by_itself() -> None:
    with running(refresh_hz=10.0, source={"speed": 3.0}) as terminal:
        terminal.wait_for("q quit")
        terminal.bytes_per_s = 1_000
        terminal.wait_for("low-bandwidth", 60)
        terminal.bytes_per_s = None
        terminal.wait_for("one sweep", 60)
        terminal.press("q")
        assert terminal.wait(60) == 0


def test_no_color_sends_no_colours() -> None:
    with running(env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for("NUMA nodes")
        terminal.press("3", "enter")
        terminal.wait_for("change nothing")
        assert terminal.coloured_cells == 0
        sent = re.findall(rb"\x1b\[([0-9;]*)m", bytes(terminal.received))
        assert {code for codes in sent for code in codes.split(b";")} <= {b"", *(str(n).encode() for n in range(10))}
        terminal.press("esc", "q")
        assert terminal.wait() == 0


def test_a_terminal_that_is_not_utf8_receives_only_ascii() -> None:
    with running(env={"LC_ALL": "C"}) as terminal:
        terminal.wait_for("NUMA nodes")
        terminal.press("3", "enter")
        terminal.wait_for("change nothing")
        terminal.press("esc", "?")
        terminal.wait_for("Show this help")
        assert bytes(terminal.received).isascii()
        terminal.press("esc", "q")
        assert terminal.wait() == 0


def test_resizing_redraws_everything() -> None:
    with running(cols=80, rows=24) as terminal:
        terminal.wait_for("NUMA nodes")
        for cols, rows in [(120, 40), (50, 10), (200, 60), (90, 25)]:
            terminal.resize(cols, rows)
        terminal.wait_for(lambda text: "NUMA nodes" in text and QUIT.search(text.split("\n")[-1]))
        terminal.resize(50, 10)
        terminal.wait_for("wlat needs 60x15")
        terminal.press("q")
        assert terminal.wait() == 0


def test_a_window_that_changes_again_while_its_size_is_being_read_is_drawn_as_it_is_now() -> None:
    # as a storm of resizes may do: the second signal arrives between reading the first size and telling it
    with running(cols=80, rows=24, changes_meanwhile=True) as terminal:
        terminal.wait_for("NUMA nodes")
        terminal.resize(200, 60)  # while the program reads this it becomes 90x25; the one here stays large enough for both
        terminal.wait_for(lambda text: QUIT.search(text.split("\n")[24]))
        terminal.press("q")
        assert terminal.wait() == 0


def test_the_mouse_is_off_over_ssh_and_can_be_asked_for() -> None:
    with running(env={"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}) as terminal:
        terminal.wait_for("NUMA nodes")
        assert b"\x1b[?1003h" not in terminal.received
        terminal.press("q")
        assert terminal.wait() == 0
    with running(env={"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, mouse=True) as terminal:
        terminal.wait_for("NUMA nodes")
        assert b"\x1b[?1003h" in terminal.received
        terminal.press("q")
        assert terminal.wait() == 0


def test_little_is_sent_once_the_screen_is_drawn() -> None:
    with running(cols=120, rows=40, low_bandwidth=True) as terminal:
        terminal.wait_for(re.compile(r"00:00:0[2-9]"))
        before = len(terminal.received)
        terminal.wait_for(re.compile(r"00:00:(0[7-9]|1)"))
        assert len(terminal.received) - before < 5 * 2_000
        terminal.press("q")
        assert terminal.wait() == 0


def test_a_terminal_that_keeps_up_is_not_asked_about_every_small_picture() -> None:
    with running(cols=120, rows=40, refresh_hz=20.0, source={"speed": 4.0}, low_bandwidth=False) as terminal:
        terminal.wait_for(re.compile(r"00:00:0[2-9]"))
        before, since_s = len(terminal.received), time.monotonic()
        terminal.wait_for(re.compile(r"00:00:(1[6-9]|[2-9])"))
        sent, elapsed_s = terminal.received[before:], time.monotonic() - since_s
        pictures, asked = sent.count(b"\x1b[?2026h"), sent.count(b"\x1b[6n")
        assert 0 < asked <= len(sent) / 1_000 + elapsed_s + 2
        assert asked < pictures
        terminal.press("q")
        assert terminal.wait() == 0
