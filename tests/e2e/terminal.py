"""A terminal that a test can watch: a real pty, a screen kept by pyte, keys, a slow link, hanging up.

A thread takes what the program prints, so the program is never held up by a test that is busy elsewhere. Every wait is for a
condition with a generous limit, and a wait that fails shows the screen.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import pwd
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

PATIENCE = float(os.environ.get("WLAT_TEST_PATIENCE", "1"))
"""How much slower than an ordinary machine this one may be: emulated guests ask for more."""
WAIT_S = 60.0 * PATIENCE
"""Long enough for a starved two-core machine; nothing passes later for it."""
# modes a fresh terminal has on; every other mode must be off again afterwards
ON_AT_FIRST = {7, 25}
# leftovers a user would notice: alternate screen, mouse, focus reports, bracketed paste, synchronised output, in-band resize
NOTICED = {1, 7, 25, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 1047, 1049, 2004, 2026, 2048}
PRIVATE_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
KITTY_PUSH, KITTY_POP = re.compile(rb"\x1b\[>\d*u"), re.compile(rb"\x1b\[<\d*u")
# sequences that pyte prints instead of swallowing
FOREIGN_TO_PYTE = re.compile(rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p|\x1b\[[0-9;]*\$[a-z]")
UNFINISHED = re.compile(rb"\x1b(?:\[[<>=?0-9;$ ]*)?\Z")
# what xterm answers; a terminal that stays silent makes programs wait for their own time-out
QUESTION = re.compile(rb"\x1b\[(0?c|6n|\?2026\$p|\?2048\$p)")
ANSWERS = {b"c": "\x1b[?64;1;2;22c", b"0c": "\x1b[?64;1;2;22c", b"?2026$p": "\x1b[?2026;2$y", b"?2048$p": "\x1b[?2048;0$y"}
# a lone Escape is told from the start of a sequence by the pause after it
ESCAPE_PAUSE_S = 0.3 * PATIENCE
KEYS = {"enter": "\r", "esc": "\x1b", "tab": "\t", "space": " ", "backspace": "\x7f"}
KEYS |= {"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D"}


class Terminal:
    """Run ``argv`` in a pty of ``cols`` x ``rows`` and watch its screen.

    Args:
        argv: The program. It becomes leader of a session of its own with this terminal as its controlling terminal, so
            hanging up sends it SIGHUP as a lost connection does.
        env: Changes to this process's environment; None as a value removes the variable.
        user: Run as this user (needs root).
        bytes_per_s: Take no more than this from the program: a slow link. May be changed while it runs.

    Raises:
        OSError: The program cannot be started.
    """

    def __init__(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        cols: int = 120,
        rows: int = 40,
        env: Mapping[str, str | None] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        user: str | None = None,
        bytes_per_s: float | None = None,
    ) -> None:
        self.argv = [os.fspath(word) for word in argv]
        self.bytes_per_s = bytes_per_s
        self.received = bytearray()
        self._modes: dict[int, bool] = {}
        self._kitty_depth = 0
        self._unfed = b""
        self._screen = pyte.Screen(cols, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._changed = threading.Condition()
        self._master, self._slave = pty.openpty()
        self._set_size(cols, rows)
        self.attributes = termios.tcgetattr(self._slave)
        account = pwd.getpwnam(user) if user else None
        if account:  # as login does; programs may reopen the tty by name
            os.fchown(self._slave, account.pw_uid, account.pw_gid)
        # setsid(1) makes the tty the controlling one and execs the program, so this pid is the program's
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *self.argv],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            cwd=cwd,
            env=_environment(env, account),
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        self.pid = self.process.pid
        self._stop_reading = threading.Event()
        self._reader = threading.Thread(target=self._read_until_stopped, name="terminal", daemon=True)
        self._reader.start()

    # -- what it shows

    @property
    def text(self) -> str:
        """The screen as lines, trailing blanks dropped."""
        with self._changed:
            return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def coloured_cells(self) -> int:
        """Cells now on the screen whose foreground or background is not the terminal's default."""
        with self._changed:
            cells = [cell for row in self._screen.buffer.values() for cell in row.values()]
        return sum(cell.fg != "default" or cell.bg != "default" for cell in cells)

    def wait_for(self, what: str | re.Pattern[str] | Callable[[str], object], timeout_s: float = WAIT_S) -> str:
        """Wait until the screen contains the text (or matches, or satisfies the predicate), and return the screen.

        Raises:
            AssertionError: It did not happen in time, or the program ended first. The message shows the screen.
        """
        matches = _predicate(what)
        deadline = time.monotonic() + timeout_s
        while True:
            ended = self.process.poll() is not None and not self._reader.is_alive()
            screen = self.text
            if matches(screen):
                return screen
            if ended:
                raise AssertionError(f"{self.argv} ended with status {self.process.returncode} before {what!r}\n{self.dump()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{what!r} did not appear within {timeout_s:.0f} s\n{self.dump()}")
            with self._changed:
                self._changed.wait(0.1)

    def dump(self) -> str:
        """The screen in a frame, for failure messages."""
        lines = self.text.split("\n")
        bar = "+" + "-" * self._screen.columns + "+"
        body = "\n".join(f"|{line.ljust(self._screen.columns)}|" for line in lines)
        return f"{bar}\n{body}\n{bar}\n({len(self.received)} bytes received; last: {bytes(self.received[-200:])!r})"

    # -- what is done to it

    def send(self, text: str) -> None:
        """Type characters. Raises OSError once hung up."""
        os.write(self._master, text.encode())

    def press(self, *keys: str) -> None:
        """Press keys by name (see `KEYS`) or as themselves."""
        for key in keys:
            self.send(KEYS.get(key, key))
            if key == "esc":
                time.sleep(ESCAPE_PAUSE_S)

    def resize(self, cols: int, rows: int) -> None:
        """Change the window's size; the kernel sends the program SIGWINCH."""
        with self._changed:
            self._screen.resize(rows, cols)
            self._set_size(cols, rows)

    def hang_up(self) -> None:
        """Take the terminal away, as a cut connection or a closed window does."""
        self._stop()
        for fd in (self._slave, self._master):
            if fd >= 0:
                os.close(fd)
        self._slave = self._master = -1

    def signal(self, number: signal.Signals) -> None:
        """Send the program (not its children) a signal."""
        self.process.send_signal(number)

    def wait(self, timeout_s: float = WAIT_S) -> int:
        """Exit status once the program has ended and all it printed has been read; negative: the signal that ended it.

        Raises:
            AssertionError: Still running. The message shows the screen.
        """
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired as expired:
            raise AssertionError(f"{self.argv} was still running after {timeout_s:.0f} s\n{self.dump()}") from expired
        self._reader.join(timeout_s)
        return status

    # -- what it left behind

    def left_on(self) -> list[str]:
        """Terminal modes the program switched and did not put back; empty when the terminal is as it was."""
        left = [f"private mode {mode}" for mode, on in self._modes.items() if mode in NOTICED and on != (mode in ON_AT_FIRST)]
        if self._kitty_depth > 0:
            left.append("kitty keyboard protocol")
        if self._slave >= 0 and termios.tcgetattr(self._slave)[:4] != self.attributes[:4]:
            left.append("line settings (termios)")
        return left

    def used_alternate_screen(self) -> bool:
        return any(mode in self._modes for mode in (47, 1047, 1049))

    def close(self) -> None:
        """End the program if it still runs, and free the pty. Idempotent."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_S)
        self.hang_up()

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # -- the reading thread

    def _read_until_stopped(self) -> None:
        budget, at = 0.0, time.monotonic()
        while not self._stop_reading.is_set():
            want = 1 << 16
            if (rate := self.bytes_per_s) is not None:
                now = time.monotonic()
                budget, at = min(rate / 4, budget + (now - at) * rate), now
                want = int(budget)
                if want < 1:
                    self._stop_reading.wait(0.01)
                    continue
            ended = self.process.poll() is not None
            ready, _, _ = select.select([self._master], [], [], 0.05)
            if not ready:
                if ended:  # asked before looking: whatever it printed last would have been there
                    break
                continue
            data = self._read(want)
            if not data:
                break
            budget -= len(data)
            self._take(data)
        with self._changed:
            self._changed.notify_all()

    def _read(self, at_most: int) -> bytes:
        try:
            return os.read(self._master, at_most)
        except OSError as error:
            if error.errno == errno.EIO:  # the last user of the terminal is gone
                return b""
            raise

    def _take(self, data: bytes) -> None:
        with self._changed:
            self.received += data
            data = self._unfed + data
            cut = UNFINISHED.search(data)
            self._unfed, data = (data[cut.start() :], data[: cut.start()]) if cut else (b"", data)
            for match in PRIVATE_MODE.finditer(data):
                self._modes.update(dict.fromkeys(map(int, match[1].split(b";")), match[2] == b"h"))
            self._kitty_depth += len(KITTY_PUSH.findall(data)) - len(KITTY_POP.findall(data))
            answers = []
            fed = 0
            for question in QUESTION.finditer(data):
                self._stream.feed(FOREIGN_TO_PYTE.sub(b"", data[fed : question.end()]))
                fed = question.end()
                cursor = self._screen.cursor
                answers.append(ANSWERS.get(question[1]) or f"\x1b[{cursor.y + 1};{cursor.x + 1}R")
            self._stream.feed(FOREIGN_TO_PYTE.sub(b"", data[fed:]))
            self._changed.notify_all()
        for answer in answers:
            self.send(answer)

    def _stop(self) -> None:
        self._stop_reading.set()
        self._reader.join()

    def _set_size(self, cols: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def _predicate(what: str | re.Pattern[str] | Callable[[str], object]) -> Callable[[str], object]:
    if isinstance(what, str):
        return lambda screen: what in screen
    if isinstance(what, re.Pattern):
        return what.search
    return what


def _environment(changes: Mapping[str, str | None] | None, account: pwd.struct_passwd | None) -> dict[str, str]:
    env = dict(os.environ)
    for name in ("COLUMNS", "LINES", "NO_COLOR", "COLORTERM", "TMUX", "TEXTUAL", "TEXTUAL_DRIVER", "PYTHONPATH"):
        env.pop(name, None)
    env |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    if account:
        env |= {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
        for name in [name for name in env if name.startswith(("XDG_", "SUDO_"))]:
            del env[name]
    for name, value in (changes or {}).items():
        if value is None:
            env.pop(name, None)
        else:
            env[name] = value
    return env


def eventually(condition: Callable[[], object], what: str, timeout_s: float = WAIT_S) -> None:
    """Wait for a condition outside the screen.

    Raises:
        AssertionError: It did not come true in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.05)


def read_text(path: str | Path) -> str:
    """A small kernel file, stripped."""
    return Path(path).read_text().strip()
