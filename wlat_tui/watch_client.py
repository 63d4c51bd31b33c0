"""The watcher seen from wlat's own process: start it, tell it what to watch, take what it sees, say when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from wlat_tui.aside import PLACE
from wlat_tui.evidence import Disturbance, Thread, Watch
from wlat_tui.kernel.mountinfo import Mount
from wlat_tui.kernel.mounts import find_mount
from wlat_tui.sudo import SUDO, apart, refusal

RESTART_DELAYS_S = (1.0, 5.0, 30.0)
"""Pauses before a dead watcher is started again; the last one repeats."""
MOST_KEPT = 5_000
"""Disturbances kept for a screen that takes none."""
LONGEST_LINE_BYTES = 1 << 22
_LEAVE_S = 1.0
_KILLED_S = 10.0
"""It is certain to go, but what it had set up is taken down first, and a loop that is closed before that prints a traceback."""
EVERYTHING = "who disturbs the writer"
_KINDS = ("read", "write", "fsync", "dirtied", "preempted", "cpu", "hook")


def watcher_command() -> tuple[str, ...]:
    """The command that runs the watcher. ``-I``: nothing from the environment or the directory is imported as root."""
    return sys.executable, "-I", "-m", "wlat_tui.watcher"


@dataclass(frozen=True, slots=True)
class Told:
    """One message of the watcher."""

    disturbances: tuple[Disturbance, ...] = ()
    watches: tuple[Watch, ...] | None = None
    lost: int = 0


def parse_told(line: bytes) -> Told:
    """One line of the watcher's. Raises ValueError with one sentence."""
    try:
        found = json.loads(line)
        watches = found.get("watches")
        return Told(
            tuple(_disturbance(raw) for raw in found.get("disturbances", ())),
            None if watches is None else tuple(_record(Watch, raw) for raw in watches),
            int(found.get("lost", 0)),
        )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"what came from the watcher makes no sense ({type(error).__name__})") from error


_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "int | None": (int, type(None)),
    "str | None": (str, type(None)),
    "Thread": (Thread,),
}


def _record(kind: type, raw: dict[str, Any]) -> Any:
    for field in fields(kind):
        if field.name in raw and type(raw[field.name]) not in _TYPES[str(field.type)]:
            raise TypeError(field.name)
    return kind(**raw)


def _disturbance(raw: dict[str, Any]) -> Disturbance:
    found: Disturbance = _record(Disturbance, raw | {"by": _record(Thread, raw["by"])})
    if found.kind not in _KINDS or found.end_ns < found.begin_ns or found.count < 0:
        raise ValueError("not a disturbance")
    return found


class Watcher:
    """Keeps a watcher running. `keep` is the task that does; `take` gives what was seen since it was last asked."""

    def __init__(self, directory: Path, *, sudo: bool, opens: bool = False, command: Sequence[str] | None = None) -> None:
        """``directory``: what the writer writes to. ``opens``: see `trace_opens`. ``command``: instead of `watcher_command`."""
        self._directory = directory
        self._sudo = sudo
        self._command = tuple(command or watcher_command())
        self._process: asyncio.subprocess.Process | None = None
        self._closing = False
        self._mount: Mount | None = None
        self._own: frozenset[int] = frozenset({os.getpid()})
        self._avoid: tuple[int, ...] = ()
        self._opens = opens
        self._anew = False
        self._disturbances: list[Disturbance] = []
        self._watches: tuple[Watch, ...] | None = None
        self._lost = 0
        self._notices: list[str] = []

    @property
    def pid(self) -> int | None:
        """Of the process (of sudo, when started through it); None while there is none."""
        return None if self._process is None else self._process.pid

    async def keep(self) -> None:
        """Start it, listen, and start it again when it dies, until `close`."""
        failures = -1
        while not self._closing:
            began_s = asyncio.get_running_loop().time()
            reason = await self._live()
            if self._closing:
                return
            if self._anew:
                continue
            if self._sudo and (refused := refusal(reason)):
                self._sudo = False
                self._notices.append(f"{refused} for the watcher: suspects are looked for without root ('wlat sudoers' helps)")
                continue
            lived_s = asyncio.get_running_loop().time() - began_s
            failures = 0 if lived_s > RESTART_DELAYS_S[-1] else min(failures + 1, len(RESTART_DELAYS_S) - 1)
            pause_s = RESTART_DELAYS_S[failures]
            self._watches = (Watch(EVERYTHING, False, reason, ""),)
            self._notices.append(f"{reason}: nobody is named until it runs again, in {pause_s:g} s")
            await asyncio.sleep(pause_s)

    def own(self, pids: frozenset[int], avoid_cpus: tuple[int, ...]) -> None:
        """Which other processes are wlat's, and which CPUs are the writer's. Cheap when nothing changed."""
        own = pids | {os.getpid()}
        if (own, avoid_cpus) != (self._own, self._avoid):
            self._own, self._avoid = own, avoid_cpus
            self._tell()

    def trace_opens(self, opens: bool) -> None:
        """Whether the opens of everyone are traced: a watcher that has given up its privileges makes way for another."""
        if opens != self._opens:
            self._opens, self._anew = opens, True
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()

    def take(self) -> tuple[Told, tuple[str, ...]]:
        """What was told since the last call, and what the user must see."""
        told = Told(tuple(self._disturbances), self._watches, self._lost)
        notices = tuple(self._notices)
        self._disturbances, self._watches, self._lost = [], None, 0
        self._notices.clear()
        return told, notices

    async def close(self) -> None:
        """End it: EOF, then signals. Idempotent."""
        self._closing = True
        if self._process is not None:
            await _end(self._process)

    async def _live(self) -> str:
        """One life of the process; returns why it ended, in one sentence."""
        pipe = asyncio.subprocess.PIPE
        command = (*(SUDO if self._sudo else ()), *self._command)
        try:
            with PLACE.everywhere():
                process = await asyncio.create_subprocess_exec(
                    *command, stdin=pipe, stdout=pipe, stderr=pipe, limit=LONGEST_LINE_BYTES, **apart(self._sudo)
                )
        except OSError as error:
            return f"the watcher cannot be started: {command[0]}: {error.strerror}"
        self._process = process
        stdout, stderr = process.stdout, process.stderr
        assert stdout is not None
        assert stderr is not None
        words = asyncio.create_task(stderr.read(LONGEST_LINE_BYTES))
        reason = None
        try:
            self._anew = False
            self._tell()
            while line := await stdout.readline():
                self._hear(parse_told(line))
        except ValueError as error:  # readline's too, for a line without end
            reason = str(error)
        finally:  # also when cancelled: no process is left to nobody
            self._process = None
            await _end(process)
            await asyncio.wait({words}, timeout=_LEAVE_S)
            words.cancel()
        said = words.result().decode(errors="replace").strip() if words.done() and not words.cancelled() else ""
        code = process.returncode
        if code is None:
            return "the watcher does not end"
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        return reason or (said.splitlines()[-1] if said else f"the watcher {how}")

    def _hear(self, told: Told) -> None:
        room = max(0, MOST_KEPT - len(self._disturbances))
        self._disturbances += told.disturbances[:room]
        self._lost += told.lost + len(told.disturbances[room:])
        self._watches = self._watches if told.watches is None else told.watches

    def _tell(self) -> None:
        """Send the whole wish. A pipe that is gone is noticed by who listens."""
        if self._process is None or self._closing:
            return
        assert self._process.stdin is not None
        if self._mount is None:
            with contextlib.suppress(OSError):  # removed while we ran: its filesystem is then not watched, and said not to be
                self._mount = find_mount(self._directory)
        mount = self._mount
        wish = {
            "device": mount.device_number if mount else "0:0",
            "filesystem": mount.filesystem if mount else "",
            "mount_point": mount.mount_point if mount else "",
            "own": sorted(self._own),
            "avoid_cpus": list(self._avoid),
            "opens": self._opens,
        }
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(json.dumps(wish).encode("ascii") + b"\n")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Close its input, then signal it if it does not go."""
    assert process.stdin is not None
    process.stdin.close()
    for end, patience_s in ((None, _LEAVE_S), (process.terminate, _LEAVE_S), (process.kill, _KILLED_S)):
        if end is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # gone meanwhile, or sudo's
                end()
        try:
            await asyncio.wait_for(process.wait(), patience_s)
            return
        except TimeoutError:
            continue
