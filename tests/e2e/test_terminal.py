"""The harness itself: what it reports must be so, or every test built on it proves nothing."""

from __future__ import annotations

import pwd
import signal
import sys
import time

import pytest

from tests.e2e.terminal import Terminal, eventually

TEXTUAL_APP = """
from textual.app import App
from textual.widgets import Static
class Hello(App):
    BINDINGS = [("q", "quit", "quit")]
    def compose(self):
        yield Static("hello from textual")
    def on_resize(self, event):
        self.query_one(Static).update(f"size {event.size.width}x{event.size.height}")
Hello().run()
"""
PYTHON = [sys.executable, "-c"]


def test_screen_keys_and_exit_status_are_those_of_the_program() -> None:
    with Terminal([*PYTHON, "import sys; print('name?'); n = input(); print('hi', n); sys.exit(len(n))"]) as terminal:
        terminal.wait_for("name?")
        terminal.press("a", "b", "c", "enter")
        assert terminal.wait() == 3
        assert "hi abc" in terminal.text
        assert terminal.left_on() == []


def test_a_textual_program_is_followed_through_a_resize_and_leaves_the_terminal_as_it_was() -> None:
    with Terminal([*PYTHON, TEXTUAL_APP], cols=80, rows=24) as terminal:
        terminal.wait_for("size 80x24")
        terminal.resize(100, 30)
        terminal.wait_for("size 100x30")
        terminal.press("q")
        assert terminal.wait() == 0
        assert terminal.used_alternate_screen()
        assert terminal.left_on() == []


def test_modes_left_on_are_found() -> None:
    program = r"""
import termios, sys
flags = termios.tcgetattr(0); flags[3] &= ~termios.ECHO; termios.tcsetattr(0, termios.TCSANOW, flags)
sys.stdout.write("\x1b[?1049h\x1b[?25l\x1b[?1003;1006h\x1b[>1u")
"""
    with Terminal([*PYTHON, program]) as terminal:
        assert terminal.wait() == 0
        modes = {f"private mode {mode}" for mode in (25, 1003, 1006, 1049)}
        assert set(terminal.left_on()) == modes | {"kitty keyboard protocol", "line settings (termios)"}


def test_a_missing_text_fails_with_the_screen_in_the_message() -> None:
    with Terminal([*PYTHON, "print('only this'); input()"]) as terminal:
        terminal.wait_for("only this")
        with pytest.raises(AssertionError, match="only this"):
            terminal.wait_for("something else", timeout_s=0.3)


def test_a_program_that_ends_early_fails_the_wait_at_once() -> None:
    with Terminal([*PYTHON, "raise SystemExit(7)"]) as terminal, pytest.raises(AssertionError, match="ended with status 7"):
        terminal.wait_for("never")


def test_hanging_up_sends_the_program_a_hangup() -> None:
    terminal = Terminal([*PYTHON, "print('up', flush=True); import time; time.sleep(600)"])
    terminal.wait_for("up")
    terminal.hang_up()
    assert terminal.wait() == -signal.SIGHUP


def test_a_slow_link_holds_the_program_up() -> None:
    """The pty's buffer fills, and write() blocks as it does on a slow connection."""
    amount, rate = 60_000, 30_000
    with Terminal([*PYTHON, f"import sys; sys.stdout.write('x' * {amount})"], bytes_per_s=rate) as terminal:
        begin = time.monotonic()
        assert terminal.wait() == 0
        assert len(terminal.received) >= amount
        assert time.monotonic() - begin >= amount / rate * 0.7


@pytest.mark.root
def test_a_program_can_be_run_as_another_user() -> None:
    with Terminal(["/bin/sh", "-c", "id -un; id -Gn; echo $HOME; : </dev/tty && echo has-tty"], user="nobody") as terminal:
        assert terminal.wait() == 0
        assert terminal.text.split()[:4] == ["nobody", "nogroup", pwd.getpwnam("nobody").pw_dir, "has-tty"]


def test_eventually_says_what_did_not_happen() -> None:
    with pytest.raises(AssertionError, match="the moon"):
        eventually(lambda: False, "the moon", timeout_s=0.1)
