"""The engine seen from wlat's own process: start it, change it, read its ticks, end it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

from wlat_tui.aside import PLACE
from wlat_tui.frame import Settings, WriterTick
from wlat_tui.native import Report, ReportReader, pack_settings, refuse_settings
from wlat_tui.sudo import SUDO, apart

_READ_BYTES = 1 << 18
_LEAVE_S = 1.0
_REASON_BYTES = 2000


def engine_command() -> tuple[str, ...]:
    """The command that runs the engine. ``-I``: no code from PYTHONPATH or the target directory where root may be."""
    return sys.executable, "-I", "-m", "wlat_tui.engine"


class EngineError(Exception):
    """The engine could not be started, or has ended by itself. The message is one sentence for the user."""


class Engine:
    """A running engine process. `start` makes one; `stop` ends it, always."""

    def __init__(self, process: asyncio.subprocess.Process, settings: Settings) -> None:
        self._process = process
        self._seq = 0
        self._stopping = False
        self._reader = ReportReader()
        self._unread: deque[Report] = deque()
        self._stderr = asyncio.create_task(self._read_stderr())
        self.settings = settings
        """What was asked for last."""

    @classmethod
    async def start(cls, settings: Settings, directory: str | Path, *, sudo: bool = False) -> Engine:
        """Start the engine on the filesystem of a directory.

        Args:
            settings: the first desired state.
            directory: where the nameless files are made; must be writable for this user.
            sudo: start it through ``sudo -n`` (it goes back to this user after taking the writer's privileges).

        Raises:
            ValueError: settings out of range (one sentence).
            EngineError: Python or sudo cannot be run in that directory (one sentence).
        """
        if why := refuse_settings(settings):
            raise ValueError(why)
        command = (*(SUDO if sudo else ()), *engine_command())
        pipe = asyncio.subprocess.PIPE
        try:
            # Ctrl-C and a hang-up reach the screen only; the engine ends when its stdin does
            with PLACE.everywhere():
                process = await asyncio.create_subprocess_exec(
                    *command, cwd=directory, stdin=pipe, stdout=pipe, stderr=pipe, limit=_READ_BYTES, **apart(sudo)
                )
        except OSError as error:
            raise EngineError(f"{command[0]} cannot be started in {directory}: {error.strerror}") from error
        engine = cls(process, settings)
        await engine.change(settings)
        return engine

    @property
    def pid(self) -> int:
        """Process id of the engine (of sudo, when started through it)."""
        return self._process.pid

    @property
    def settings_seq(self) -> int:
        """Number of the last settings sent; a tick whose ``settings_seq`` has reached it was measured under them."""
        return self._seq

    async def change(self, settings: Settings) -> int:
        """Ask for another state; returns the ``settings_seq`` that ticks will carry once it is in force.

        Raises:
            ValueError: settings out of range (one sentence).
            EngineError: the engine has ended.
        """
        if why := refuse_settings(settings):
            raise ValueError(why)
        stdin = self._process.stdin
        assert stdin is not None
        self._seq += 1
        try:
            stdin.write(pack_settings(settings, self._seq))
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise EngineError(await self._reason()) from error
        self.settings = settings
        return self._seq

    async def ticks(self) -> AsyncIterator[WriterTick]:
        """What `reports` say about the writer alone."""
        async for report in self.reports():
            yield report.tick

    async def reports(self) -> AsyncIterator[Report]:
        """Every report, as it comes, until `stop`.

        Raises:
            EngineError: the engine ended by itself, or what it sent makes no sense (one sentence).
        """
        stdout = self._process.stdout
        assert stdout is not None
        while True:
            # kept here, so that a caller may leave its loop and come back without losing one
            while self._unread:
                yield self._unread.popleft()
            data = await stdout.read(_READ_BYTES)
            if not data:
                break
            try:
                self._unread.extend(self._reader.feed(data))
            except ValueError as error:
                raise EngineError(str(error)) from error
        if not self._stopping:
            raise EngineError(await self._reason())

    async def stop(self) -> str | None:
        """End the engine: EOF, then SIGTERM, then SIGKILL. Idempotent.

        Returns:
            None, or one sentence when the process would not go (it sits in the kernel, and goes when the kernel lets it).
        """
        self._stopping = True
        stdin = self._process.stdin
        assert stdin is not None
        stdin.close()
        for end in (None, self._process.terminate, self._process.kill):
            if end is not None and self._process.returncode is None:
                # gone meanwhile, or it is sudo and not ours to signal: EOF has to do
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    end()
            if await self._ended_within(_LEAVE_S):
                await self._stderr
                return None
        self._stderr.cancel()
        return f"the engine (process {self.pid}) has not ended: its write is stuck in the kernel"

    async def _ended_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._drained(), seconds)
        except TimeoutError:
            return False
        return True

    async def _drained(self) -> None:
        """Wait for the end. Last reports are kept for `reports`; asyncio calls a process ended only when its pipes are."""
        stdout = self._process.stdout
        assert stdout is not None
        with contextlib.suppress(RuntimeError):  # `reports` is waiting for them itself
            while data := await stdout.read(_READ_BYTES):
                with contextlib.suppress(ValueError):  # `reports` has said so, or nobody asks any more
                    self._unread.extend(self._reader.feed(data))
        await self._process.wait()

    async def _read_stderr(self) -> str:
        stderr = self._process.stderr
        assert stderr is not None
        text = b""
        while data := await stderr.read(_READ_BYTES):
            text = (text + data)[-_REASON_BYTES:]
        return text.decode(errors="replace").strip()

    async def _reason(self) -> str:
        """Why it ended, in one sentence: its last words, or how it died."""
        words = await self._stderr
        code = await self._process.wait()
        if words:
            return words.splitlines()[-1]
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return f"the engine {how}"
