"""Runs a program on a terminal of its own and measures it from outside: bytes, CPU, memory, start and end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

import psutil

LEAVE_S = 10.0
ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>])")
_KEPT_BYTES = 1 << 16


class BenchError(Exception):
    """What was to be measured did not happen; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the process tree took between two moments."""

    seconds: float
    cpu_s: float
    sent_bytes: int
    pss_bytes: int
    """Sum over the tree at the end of the span."""
    writer_cpu_s: float
    """Part of cpu_s that the thread named wlat-writer took."""


class MeasuredTerminal:
    """One program in a pty that is always drained; when the block is left, the program has ended."""

    def __init__(self, command: Sequence[str], *, columns: int = 120, rows: int = 40) -> None:
        self.started_s = time.monotonic()
        self.received_bytes = 0
        self._command = " ".join(command)
        self._last = b""
        self._status: int | None = None
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LINES=str(rows), COLUMNS=str(columns))
            os.execvp(command[0], list(command))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = psutil.Process(self._pid)

    def __enter__(self) -> MeasuredTerminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if self._status is None:  # interrupted: TERM makes wlat put everything back
                os.kill(self._pid, signal.SIGTERM)
                self.wait()
        finally:
            os.close(self._fd)

    def drain(self, seconds: float) -> None:
        """Take output for a time, or until the program closes the terminal."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and self._take(left):
            pass

    def wait_for(self, texts: Mapping[str, Iterable[str]], seconds: float) -> dict[str, float]:
        """When each group of texts was first on the way to the screen, in seconds since the start.

        Args:
            texts: name -> texts that must all have been sent, each in one piece.
            seconds: how long to wait at most.

        Raises:
            BenchError: they did not come in time, or the program ended.
        """
        wanted = {name: {text.encode() for text in group} for name, group in texts.items()}
        found: dict[str, float] = {}
        deadline = time.monotonic() + seconds
        while len(found) < len(wanted):
            if (left := deadline - time.monotonic()) <= 0 or not self._take(left):
                raise BenchError(f"'{self._command}' did not show its screen: {self._last_words()}")
            plain, now_s = ESCAPE.sub(b"", self._last), time.monotonic()
            for name, group in wanted.items():
                group -= {text for text in group if text in plain}
                if not group:
                    found.setdefault(name, now_s - self.started_s)
        return found

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def measure(self, seconds: float) -> Usage:
        """Drain for a time and say what the tree took meanwhile."""
        sent, cpu_s, writer_s, began = self.received_bytes, self._cpu_s(), self._writer_cpu_s(), time.monotonic()
        self.drain(seconds)
        return Usage(
            seconds=time.monotonic() - began,
            cpu_s=self._cpu_s() - cpu_s,
            sent_bytes=self.received_bytes - sent,
            pss_bytes=sum(process.memory_full_info().pss for process in self._tree()),
            writer_cpu_s=self._writer_cpu_s() - writer_s,
        )

    def leave(self, keys: str = "q") -> float:
        """Ask the program to end; returns the seconds it took. Raises BenchError when it failed."""
        asked_s = time.monotonic()
        self.type(keys)
        self.wait()
        return time.monotonic() - asked_s

    def wait(self, seconds: float = LEAVE_S) -> None:
        """Wait for its end, killing it after a time. Raises BenchError when it did not end well."""
        deadline = time.monotonic() + seconds
        while self._status is None:
            # the terminal closes a moment before the process is gone; do not spin in between
            if not self._take(0.01):
                time.sleep(0.001)
            done, status = os.waitpid(self._pid, os.WNOHANG)
            if done:
                self._status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                os.kill(self._pid, signal.SIGKILL)
                deadline += LEAVE_S
        # minus: it had not come as far as handling signals
        if self._status not in (0, 128 + signal.SIGTERM, -signal.SIGTERM):
            raise BenchError(f"'{self._command}' ended with status {self._status}: {self._last_words()}")

    def _take(self, seconds: float) -> bool:
        """Read once, answering position requests as terminals do. False: the other side has closed the terminal."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # EIO
            return False
        self.received_bytes += len(data)
        self._last = (self._last + data)[-_KEPT_BYTES:]
        if b"\x1b[6n" in data:
            self.type("\x1b[1;1R" * data.count(b"\x1b[6n"))
        return bool(data)

    def _last_words(self) -> str:
        words = ESCAPE.sub(b"", self._last).decode(errors="replace").split()
        return " ".join(words)[-200:] or "it printed nothing"

    def _tree(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def _cpu_s(self) -> float:
        """Of every process, and of the ended ones in their parents: it never runs backwards. In steps of 10 ms a process."""
        times = [process.cpu_times() for process in self._tree()]
        return float(sum(t.user + t.system + t.children_user + t.children_system for t in times))

    def _writer_cpu_s(self) -> float:
        """/proc/PID/task/TID/schedstat: nanoseconds on the CPU, first field."""
        total_ns = 0
        for process in self._tree():
            for thread in process.threads():
                task = f"/proc/{process.pid}/task/{thread.id}"
                with open(f"{task}/comm") as comm:
                    if comm.read().strip() != "wlat-writer":
                        continue
                with open(f"{task}/schedstat") as schedstat:
                    total_ns += int(schedstat.read().split()[0])
        return total_ns / 1e9
