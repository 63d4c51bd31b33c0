"""Runs a program on a terminal of its own and measures it from outside: bytes, CPU, memory, start and end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

QUIET_S = 0.15
"""The first screen is complete when this long nothing follows it."""
LEAVE_S = 10.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What the process tree took between two moments."""

    seconds: float
    cpu_s: float
    sent_bytes: int
    pss_bytes: int
    """Largest sum over the tree seen at the end of the span."""
    writer_cpu_s: float
    """Part of cpu_s that the thread named wlat-writer took."""


class MeasuredTerminal:
    """One program in a pty that is always drained."""

    def __init__(self, command: Sequence[str], *, columns: int = 120, rows: int = 40) -> None:
        self.started_s = time.monotonic()
        self.received_bytes = 0
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", LINES=str(rows), COLUMNS=str(columns))
            os.execvp(command[0], list(command))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = psutil.Process(self._pid)

    def drain(self, seconds: float, *, until_quiet_after_bytes: int | None = None) -> float:
        """Take output for a time, answering position requests as terminals do; returns when the last byte came (monotonic s).

        With *until_quiet_after_bytes* it ends early, once that much has come and then nothing for `QUIET_S`.
        """
        last_s, deadline = time.monotonic(), time.monotonic() + seconds
        while (now := time.monotonic()) < deadline:
            wait = min(deadline - now, QUIET_S)
            ready, _, _ = select.select([self._fd], [], [], wait)
            if not ready:
                if until_quiet_after_bytes is not None and self.received_bytes >= until_quiet_after_bytes:
                    break
                continue
            try:
                data = os.read(self._fd, 1 << 16)
            except OSError:  # EIO: the other side closed the terminal
                break
            self.received_bytes += len(data)
            last_s = time.monotonic()
            if b"\x1b[6n" in data:
                self.type("\x1b[1;1R" * data.count(b"\x1b[6n"))
        return last_s

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
        """Ask the program to end; returns the seconds it took. Kills it after `LEAVE_S`."""
        asked_s = time.monotonic()
        self.type(keys)
        while time.monotonic() - asked_s < LEAVE_S:
            self.drain(0.01)
            done, _status = os.waitpid(self._pid, os.WNOHANG)
            if done:
                break
        else:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)
        return time.monotonic() - asked_s

    def _tree(self) -> list[psutil.Process]:
        return [self._process, *self._process.children(recursive=True)]

    def _cpu_s(self) -> float:
        return float(sum(times.user + times.system for process in self._tree() for times in [process.cpu_times()]))

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
