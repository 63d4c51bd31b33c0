"""The screen's side of the keeper: start it, ask it, notice its death, and what to say where there is none.

`open_knobs` gives something with the interface `Knobs` whatever the privileges are.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from wlat_tui.aside import PLACE
from wlat_tui.frame import KnobState, Mark
from wlat_tui.holding import DROP_CACHES
from wlat_tui.keeper import PROTOCOL
from wlat_tui.mitigations import knobs
from wlat_tui.sources import Outcome
from wlat_tui.sudo import SUDO, apart, refusal

HELLO_TIMEOUT_S = 60.0
"""Long: a host that swaps or reclaims takes its time to start Python, and that is when wlat is needed."""
STATE_TIMEOUT_S = 2.0
CLOSE_TIMEOUT_S = 15.0
ADDRESSES_AT_ONCE = 200
"""In one line for the keeper, which takes no longer ones."""
_NOTHING = Outcome(True, "nothing was changed, nothing to put back")


class KeeperError(Exception):
    """The keeper could not be started; the message is one sentence, ``fix`` the command that helps."""

    def __init__(self, reason: str, fix: str | None = None) -> None:
        super().__init__(reason)
        self.fix = fix


class Knobs(Protocol):
    """The kernel settings of this host, changeable or not."""

    read_only: str | None
    """Why nothing can be changed (one sentence), or None."""

    async def state(self) -> Mapping[str, KnobState]:
        """Every setting as it stands, by name, and ``drop_caches``, which has no value."""

    async def set(self, name: str, value: str | None) -> Outcome:
        """Give a setting a value; None: its original."""

    async def restore_all(self) -> Outcome:
        """Put everything back, last change first."""

    async def drop_caches(self) -> Outcome:
        """Drop the clean page cache of the host once."""

    async def functions(self, addresses: Sequence[int]) -> Sequence[str]:
        """Names of the kernel functions at these addresses; fewer, or none, where nobody may ask."""

    async def listing(self, from_ns: int, to_ns: int) -> str:
        """The function listing of this span; "" when it is not switched on."""

    async def close(self) -> Outcome:
        """Put everything back and end. Idempotent. ok is False when something could not be put back; the message says what."""

    def take_marks(self) -> tuple[Mark, ...]:
        """What happened since the last call: applied, restored, foreign."""

    def take_notices(self) -> tuple[str, ...]:
        """What the user must see since the last call, one sentence each."""


def keeper_command() -> tuple[str, ...]:
    """The command that runs the keeper. ``-I``: nothing from the environment or the current directory is imported as root."""
    return sys.executable, "-I", "-m", "wlat_tui.keeper"


def wlat_path() -> str:
    """``wlat`` where sudo would find it by itself, else its full path (a virtual environment is not in sudo's secure_path)."""
    script = Path(sys.executable).parent / "wlat"
    if str(script.parent) in ("/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin") or not script.exists():
        return "wlat"
    return str(script)


def sudoers_line(command: Sequence[str], user: str | None = None) -> str:
    """The line for /etc/sudoers.d/wlat that allows exactly this command, with these arguments and no others."""
    escaped = (re.sub(r"([,:=\\ *?\[\]!])", r"\\\1", word) for word in command)
    return f"{user or pwd.getpwuid(os.getuid()).pw_name} ALL=(root) NOPASSWD: {' '.join(escaped)}"


def unsafe_install() -> str | None:
    """Why a sudoers line would hand root to whoever can change this installation; None when only root can."""
    for path in (Path(sys.executable), Path(sys.executable).resolve(), Path(__file__), Path(__file__).parent):
        for part in (path, *path.parents):
            found = part.stat()
            # a sticky directory such as /tmp lets others add files, not replace this one
            writable = found.st_mode & 0o022 and not found.st_mode & 0o1000
            if found.st_uid != 0 or writable:
                return f"{part} can be changed by others than root, who would become root through it: install wlat as root"
    return None


class ReadOnlyKnobs:
    """The settings where they cannot be changed: shown all the same (they are readable by anyone)."""

    def __init__(self, reason: str, fix: str | None = None, root: Path = Path("/")) -> None:
        """``reason`` (one sentence) and ``fix`` (an exact command) are shown with every setting."""
        self.read_only: str | None = reason
        self._fix = fix
        self._root = root
        self._knobs = knobs()

    async def state(self) -> Mapping[str, KnobState]:
        found = {name: self._read(name) for name in self._knobs}
        return found | {DROP_CACHES: KnobState(None, None, self.read_only, self._fix)}

    def _read(self, name: str) -> KnobState:
        knob = self._knobs[name]
        try:
            current = knob.read(self._root)
        except OSError as error:
            return KnobState(None, None, f"{knob.title} cannot be read: {error.strerror}")
        if knob.shown_only is not None:
            return KnobState(current, None, knob.shown_only)
        if current is None:
            return KnobState(None, None, f"this kernel has no {knob.title}")
        return KnobState(current, None, self.read_only, self._fix)

    async def set(self, name: str, value: str | None) -> Outcome:
        return Outcome(False, self.read_only or "")

    async def restore_all(self) -> Outcome:
        return _NOTHING

    async def drop_caches(self) -> Outcome:
        return Outcome(False, self.read_only or "")

    async def functions(self, addresses: Sequence[int]) -> Sequence[str]:
        return ()

    async def listing(self, from_ns: int, to_ns: int) -> str:
        return ""

    async def close(self) -> Outcome:
        return _NOTHING

    def take_marks(self) -> tuple[Mark, ...]:
        return ()

    def take_notices(self) -> tuple[str, ...]:
        return ()


class Keeper:
    """A running keeper process. Restarted once when it dies; the new one first puts back what the dead one had changed."""

    def __init__(self, command: Sequence[str]) -> None:
        """Use `start`."""
        self.read_only: str | None = None
        self.pid: int | None = None
        """Of the keeper itself, also under sudo."""
        self._command = tuple(command)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._marks: list[Mark] = []
        self._notices: list[str] = []
        self._known: Mapping[str, KnobState] = {}
        self._asking: asyncio.Task[dict[str, Any]] | None = None
        self._restarts_left = 1
        self._dead: str | None = None
        self._said = ""
        self._left = False
        self._closing: asyncio.Task[Outcome] | None = None

    @classmethod
    async def start(cls, sudo: bool = False, command: Sequence[str] | None = None) -> Keeper:
        """Start the keeper and wait until it has put back what an earlier one may have left.

        Args:
            sudo: run it through ``sudo -n``, which never asks for a password.
            command: what to run instead of `keeper_command`; for tests.

        Raises:
            KeeperError: it did not start, with what it or sudo said.
        """
        own = tuple(command or keeper_command())
        keeper = cls((*SUDO, *own) if sudo else own)
        try:
            await keeper._launch()
        except KeeperError:
            if keeper._reader is not None:
                await asyncio.wait({keeper._reader}, timeout=CLOSE_TIMEOUT_S)  # its input is closed: it ends
            raise
        return keeper

    async def state(self) -> Mapping[str, KnobState]:
        """As `Knobs.state`. While the keeper is busy (waiting for the kernel, raising in steps) the last answer is repeated."""
        if self._dead is not None:
            return self._known
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask("state"))
        done, _ = await asyncio.wait({self._asking}, timeout=STATE_TIMEOUT_S)
        if done:
            answer, self._asking = self._asking.result(), None
            self._learn(answer)
        return self._known

    async def set(self, name: str, value: str | None) -> Outcome:
        answer = await (self._ask("restore", knob=name) if value is None else self._ask("set", knob=name, value=value))
        return Outcome(answer["ok"], answer["message"])

    async def restore_all(self) -> Outcome:
        answer = await self._ask("restore_all")
        return Outcome(answer["ok"], answer["message"])

    async def drop_caches(self) -> Outcome:
        answer = await self._ask("drop_caches")
        return Outcome(answer["ok"], answer["message"])

    async def functions(self, addresses: Sequence[int]) -> Sequence[str]:
        names: list[str] = []
        for begin in range(0, len(addresses), ADDRESSES_AT_ONCE):
            part = " ".join(f"{address:x}" for address in addresses[begin : begin + ADDRESSES_AT_ONCE])
            answer = await self._ask("symbols", addresses=part)
            if not answer["ok"]:
                break
            names += answer["names"]
        return names

    async def listing(self, from_ns: int, to_ns: int) -> str:
        answer = await self._ask("listing", from_ns=str(from_ns), to_ns=str(to_ns))
        return str(answer.get("text", ""))

    async def close(self) -> Outcome:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        return await asyncio.shield(self._closing)

    def take_marks(self) -> tuple[Mark, ...]:
        taken, self._marks = tuple(self._marks), []
        return taken

    def take_notices(self) -> tuple[str, ...]:
        taken, self._notices = tuple(self._notices), []
        return taken

    async def _launch(self) -> None:
        """Start a process and greet it. Raises KeeperError."""
        pipe = asyncio.subprocess.PIPE
        try:
            # what the terminal sends (Ctrl-C, hang-up) must not reach it before we are done
            sudo = self._command[:1] == SUDO[:1]
            with PLACE.everywhere():
                process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=pipe, stdout=pipe, stderr=pipe, cwd="/", limit=1 << 20, **apart(sudo)
                )
        except OSError as error:
            raise KeeperError(f"{self._command[0]} could not be started: {error.strerror}") from error
        self._process = process
        self._reader = asyncio.create_task(self._read(process))
        try:
            answer = await asyncio.wait_for(self._ask("hello"), HELLO_TIMEOUT_S)
        except TimeoutError:
            raise self._give_up(process, f"the keeper did not answer within {HELLO_TIMEOUT_S:.0f} s of its start") from None
        if answer.get("protocol") is None:
            if refused := refusal(self._said):
                raise KeeperError(refused, f"sudo -v && {wlat_path()} --sudo")
            raise KeeperError(self._dead or answer["message"])
        if answer["protocol"] != PROTOCOL:
            raise self._give_up(process, f"the keeper is of version {answer['version']}, which this screen does not understand")
        self.pid = answer["pid"]
        self._learn(answer)

    def _give_up(self, process: asyncio.subprocess.Process, reason: str) -> KeeperError:
        assert process.stdin is not None
        process.stdin.close()
        self._declare_dead(reason)
        return KeeperError(reason)

    def _learn(self, answer: dict[str, Any]) -> None:
        if "knobs" in answer:
            self._known = {name: KnobState(**fields) for name, fields in answer["knobs"].items()}
            self.read_only = answer["read_only"]

    async def _ask(self, operation: str, **fields: str) -> dict[str, Any]:
        """The keeper's answer; a made-up refusal when it is dead."""
        process = self._process
        if self._dead is not None or process is None or process.stdin is None:
            return {"ok": False, "message": self._dead or "the keeper died and is being started again"}
        self._number += 1
        request = {"id": self._number, "op": operation, **fields}
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[self._number] = waiting
        process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
        answer: dict[str, Any] = await waiting
        return answer

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Take answers until the keeper's output ends, then see what that means."""
        assert process.stdout is not None
        assert process.stderr is not None
        errors = asyncio.create_task(process.stderr.read())
        async for line in process.stdout:
            try:
                answer = json.loads(line)
                self._marks += [Mark(**mark) for mark in answer["marks"]]
                self._notices += answer["notes"]
                waiting = self._waiting.pop(answer["id"], None)
            except (ValueError, KeyError, TypeError):
                # not a keeper at the other end (a greeting printed by a login script): stop talking, read on until it ends
                self._give_up(process, f"the keeper answered with something else: {line[:80]!r}")
                self._answer_all(self._dead or "")
                continue
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
        self._said = (await errors).decode("utf-8", "replace").strip()
        await self._ended(await process.wait(), self._said.splitlines()[-1].removeprefix("wlat: ") if self._said else "")

    def _answer_all(self, reason: str) -> None:
        unanswered, self._waiting = self._waiting, {}
        for waiting in unanswered.values():
            if not waiting.done():
                waiting.set_result({"ok": False, "message": reason})

    async def _ended(self, status: int, said: str) -> None:
        how = signal.strsignal(-status) or f"signal {-status}" if status < 0 else f"exit status {status}"
        reason = self._dead or f"the keeper ended ({how}){said and ': '}{said}"
        self._process = None
        again = not self._left and self.pid is not None and self._restarts_left > 0
        if self._dead is not None:
            again = False
        elif not again:
            self._declare_dead(reason)
        self._answer_all(reason)
        if again:
            self._restarts_left -= 1
            self._notices.append(f"{reason}; it was started again and has put back what was changed")
            try:
                await self._launch()
            except KeeperError as error:
                self._declare_dead(f"{reason}, and could not be started again: {error}")

    def _declare_dead(self, reason: str) -> None:
        self._dead = reason
        fix = f"sudo {wlat_path()} restore"
        self.read_only = reason
        self._known = {name: KnobState(state.current, state.original, reason, fix) for name, state in self._known.items()}
        if self._closing is None and self.pid is not None:
            self._notices.append(f"{reason}; '{fix}' puts back what it had changed")

    async def _close(self) -> Outcome:
        while True:
            if self._process is None and self._reader is not None:
                await asyncio.wait({self._reader}, timeout=HELLO_TIMEOUT_S)  # it is being started again
            process, reader = self._process, self._reader
            if process is None or process.stdin is None or reader is None or self._dead is not None:
                return Outcome(False, self._dead or "the keeper has ended")
            farewell = asyncio.create_task(self._ask("bye"))
            done, _ = await asyncio.wait({farewell}, timeout=CLOSE_TIMEOUT_S)
            if not done or "end" in farewell.result():
                self._left = True
                process.stdin.close()  # end of input: the same wish, understood even by a keeper that never saw the line
            if not done:
                return Outcome(
                    False, f"the keeper (pid {self.pid}) is still putting settings back, the kernel keeps it waiting"
                )
            # when it died instead of answering, the reader starts another, which puts everything back
            await asyncio.wait({reader}, timeout=CLOSE_TIMEOUT_S)
            if self._left:
                answer = farewell.result()
                return Outcome(answer["ok"], answer["message"])


async def open_knobs(*, sudo: bool = False, read_only: bool = False) -> Knobs:
    """The settings of this host, with a keeper where there can be one, else with the reason and the command that would help."""
    if read_only:
        return ReadOnlyKnobs("started with --read-only", None)
    if os.geteuid() != 0 and not sudo:
        return ReadOnlyKnobs("only root may change kernel settings", f"sudo {wlat_path()}")
    try:
        return await Keeper.start(sudo=sudo)
    except KeeperError as error:
        return ReadOnlyKnobs(str(error), error.fix)
