"""Runs a command when a write stalled, with the stall as JSON on its standard input."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shlex
import shutil
import signal
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress

from wlat_tui.aside import PLACE
from wlat_tui.followers.stall_facts import stall_facts
from wlat_tui.frame import Write
from wlat_tui.model.session import Session
from wlat_tui.model.stalls import Explained

REST_S = 10.0
"""At least so long from one start to the next: stalls come in bursts, and starting programs is itself a disturbance."""
LIMIT_S = 60.0
_KILLED_S = 1.0
_LAST_WORDS = 400
_PR_SET_PDEATHSIG = 1


def command_line(text: str, shell: bool) -> list[str]:
    """The words to execute. Raises ValueError with one sentence when there is nothing that could be."""
    if shell:
        if not text.strip():
            raise ValueError("the command is empty")
        return ["/bin/sh", "-c", text]
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"'{text}' cannot be split into words ({error}): close every quote") from error
    if not words:
        raise ValueError("the command is empty")
    if shutil.which(words[0]) is None:
        raise ValueError(f"there is no program '{words[0]}' that can be executed (pipes and variables need --on-stall-shell)")
    return words


class OnStall:
    """A follower that never makes anybody wait: one command at a time, at most one in *rest_s* seconds, killed at the end.

    What happened meanwhile is not queued; the next run is told how many stalls were passed over. Late wakes do not count.

    Args:
        words: what to execute.
        tell: called with a sentence for each kind of failure, once.
        rest_s: least time from one start to the next.
        limit_s: a command that takes longer is killed.
    """

    def __init__(
        self, words: Sequence[str], tell: Callable[[str], None], *, rest_s: float = REST_S, limit_s: float = LIMIT_S
    ) -> None:
        self._words = words
        self._tell = tell
        self._rest_s, self._limit_s = rest_s, limit_s
        self._seen: Write | None = None
        self._passed_over = 0
        self._started: float | None = None
        self._running: asyncio.Task[None] | None = None
        self._told: set[str] = set()
        self._closed = False
        self._libc = ctypes.CDLL(None)  # looked up here: between fork and exec nothing may be loaded
        self.runs = 0

    def take(self, session: Session) -> str | None:
        new = self._new(session)
        if not new:
            return None
        rested = self._started is None or time.monotonic() - self._started >= self._rest_s
        if self._closed or self._running is not None or not rested:
            self._passed_over += len(new)
            return None
        worst = max(new, key=lambda one: one.verdict.span_ns)
        facts = stall_facts(worst, session.wall_ns - session.now_ns)
        facts |= {"stalls": session.headline().stalls, "passed_over": self._passed_over + len(new) - 1}
        self._passed_over, self._started = 0, time.monotonic()
        self.runs += 1
        self._running = asyncio.get_running_loop().create_task(self._run(json.dumps(facts) + "\n"))
        return None

    async def close(self) -> None:
        self._closed = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def _new(self, session: Session) -> list[Explained]:
        """Stalls in write() that were explained since the last call."""
        found: list[Explained] = []
        for one in reversed(session.explained):
            if one.write == self._seen:
                break
            found.append(one)
        if found:
            self._seen = found[0].write
        return [one for one in found if one.write.service_ns > one.circumstances.settings.threshold_ns]

    async def _run(self, text: str) -> None:
        try:
            await self._execute(text)
        finally:
            self._running = None

    async def _execute(self, text: str) -> None:
        said = LastWords()
        process: Process | None = None
        try:
            starting = asyncio.create_task(self._start(said))
            try:
                process = await asyncio.shield(starting)
            except asyncio.CancelledError:
                # asyncio waits for ever for a process that was given up while it was being started
                process = await starting
                raise
            async with asyncio.timeout(self._limit_s):
                await _feed(process, text)
                status = await process.wait()
            if status:
                ended = f"exit status {status}" if status > 0 else f"signal {-status}"
                self._fail(f"status {status}", ": ".join(filter(None, (f"ended with {ended}", said.text()))))
        except TimeoutError:
            self._fail("limit", f"still ran after {self._limit_s:g} s and was killed")
        except OSError as error:
            self._fail("start", f"could not be started: {error.strerror}")
        finally:
            said.close()
            if process is not None and process.returncode is None:
                with suppress(ProcessLookupError):  # it may end between the two lines
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.wait({asyncio.ensure_future(process.wait())}, timeout=_KILLED_S)

    async def _start(self, said: LastWords) -> Process:
        """Raises OSError."""
        with PLACE.everywhere():
            return await asyncio.create_subprocess_exec(
                *self._words,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=said.write_end,
                start_new_session=True,
                preexec_fn=self._die_with_us,
            )

    def _die_with_us(self) -> None:
        """In the child: a wlat that is killed leaves nothing behind. Source: man 2 prctl, PR_SET_PDEATHSIG."""
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def _fail(self, kind: str, sentence: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._tell(f"--on-stall: {shlex.join(self._words)[:60]} {sentence} (told once)")


async def _feed(process: Process, text: str) -> None:
    """Write and close its input. A command that does not care for it may close it, or end."""
    assert process.stdin is not None
    try:
        process.stdin.write(text.encode())
        await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        pass  # it chose not to read: no failure


class LastWords:
    """The end of what a command says on standard error. However much that is, little is kept; and whoever still holds the pipe
    when the command itself has ended is not waited for."""

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._kept = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._read_end, self._take)

    def text(self) -> str:
        """On one line."""
        while self._take():
            pass
        return " ".join(self._kept.decode("utf-8", "replace").split())

    def close(self) -> None:
        self._loop.remove_reader(self._read_end)
        os.close(self._read_end)
        os.close(self.write_end)

    def _take(self) -> bool:
        try:
            chunk = os.read(self._read_end, 4096)
        except BlockingIOError:
            return False
        self._kept = (self._kept + chunk)[-_LAST_WORDS:]
        return bool(chunk)
