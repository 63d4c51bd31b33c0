"""The host that end-to-end tests act on: its knobs, and the processes a wlat is made of."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.e2e.terminal import WAIT_S, Terminal, eventually

VM = Path("/proc/sys/vm")
RECLAIM = VM / "zone_reclaim_mode"


@dataclass(frozen=True, slots=True)
class Family:
    """The processes of one running wlat. psutil remembers when each began, so a reused pid is not taken for it."""

    screen: psutil.Process
    engine: psutil.Process
    keeper: psutil.Process | None
    watcher: psutil.Process | None = None
    """It starts last: None when it had not yet."""

    def members(self) -> list[psutil.Process]:
        return [process for process in (self.screen, self.engine, self.keeper, self.watcher) if process is not None]

    @property
    def keeper_pid(self) -> int:
        assert self.keeper is not None
        return int(self.keeper.pid)

    def alive(self) -> list[str]:
        """Those that still run, by name; a zombie is gone."""
        return [_words(process) for process in self.members() if _runs(process)]

    def wait_gone(self, timeout_s: float = WAIT_S) -> None:
        """Raises AssertionError naming what still runs."""
        try:
            eventually(lambda: not self.alive(), "every process of wlat is gone", timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.alive()} still run") from None


def family(terminal: Terminal, *, with_keeper: bool = True) -> Family:
    """The processes of the wlat that runs in a terminal, once all of them do. Raises AssertionError with the screen."""
    try:
        return family_of(psutil.Process(terminal.pid), with_keeper=with_keeper)
    except (AssertionError, psutil.NoSuchProcess) as error:
        raise AssertionError(f"{error}\n{terminal.dump()}") from None


def family_of(top: psutil.Process, *, with_keeper: bool = True) -> Family:
    """The processes of a wlat from its outermost one (a shell or strace may be in front), once all of them run."""
    found: dict[str, psutil.Process] = {}

    def complete() -> bool:
        for process in (top, *top.children(recursive=True)):
            if role := role_of(process):
                found[role] = process
        return {"screen", "engine"} <= set(found) and ("keeper" in found or not with_keeper)

    eventually(complete, f"screen, engine and keeper run (found so far: {found})")
    return Family(found["screen"], found["engine"], found.get("keeper"), found.get("watcher"))


def role_of(process: psutil.Process) -> str | None:
    """ "screen", "engine", "keeper" or "watcher"; None for anything else."""
    words = _words(process).split()
    for role in ("engine", "keeper", "watcher"):
        if f"wlat_tui.{role}" in words:
            return role
    if any(os.path.basename(word) == "wlat" for word in words[:2]):
        return "screen"
    return None


def strays(prefix: Path) -> list[str]:
    """Every engine, keeper and watcher of the installation at ``prefix`` that runs on this host, whoever started it."""
    found = [(process.pid, _words(process)) for process in psutil.process_iter() if _runs(process)]
    return [f"{pid}: {words}" for pid, words in found if str(prefix) in words and "wlat_tui." in words]


def kill(process: psutil.Process) -> None:
    """SIGKILL, unless it has already ended."""
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _words(process: psutil.Process) -> str:
    """The command line; empty once it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # a zombie too
        return ""
