"""Loads: what other programs do to a host, made on purpose. A closed list, each a file, each a child process of its own.

A load disturbs the whole host for as long as it runs, so it only ever runs because somebody asked for it by name. Its process
ends with the one that started it, also when that is killed, and leaves nothing on the disk.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from wlat_tui.aside import PLACE

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class Load(Protocol):
    """One kind of load; a frozen dataclass whose fields are what can be chosen about it, each with a default."""

    name: ClassVar[str]
    effect: ClassVar[str]
    """What it does to the host, in one sentence."""

    @classmethod
    def options(cls) -> Mapping[str, Option]:
        """What a plan may choose, by the name it has there."""

    def unavailable(self, directory: Path) -> str | None:
        """Why it cannot run here with its files in this directory (one sentence), or None."""

    def settled(self, session: Session) -> bool:
        """Whether it has its effect by now. A session sees /proc/vmstat once a second."""

    def run(self) -> None:
        """In the child: for ever, with the directory as working directory. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Option:
    """One thing that can be chosen about a load."""

    field: str
    parse: Any
    """Text to value; raises ValueError with one sentence."""


class LoadError(Exception):
    """A load could not be started or has ended by itself. The message is one sentence."""


class Running:
    """A load at work. `stop` ends it, always."""

    def __init__(self, load: Load, directory: Path) -> None:
        """Start it. Raises LoadError."""
        self.load = load
        self._at_work = False
        chosen = json.dumps(asdict(load))  # type: ignore[call-overload]
        try:
            # a session of its own: Ctrl-C is for the one who started it
            with PLACE.everywhere():
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-m", "wlat_tui.loads", load.name, chosen],
                    cwd=directory,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
        except OSError as error:
            raise LoadError(f"the load {load.name} cannot be started in {directory}: {error.strerror}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def at_work(self) -> bool:
        """Whether its process has come so far that it disturbs: on a busy host that may take it seconds."""
        stdout = self._process.stdout
        assert stdout is not None
        if not self._at_work and select.select([stdout], [], [], 0)[0]:
            self._at_work = stdout.read(1) != b""
        return self._at_work

    def check(self) -> None:
        """Raises LoadError when it has ended."""
        status = self._process.poll()
        if status is not None:
            assert self._process.stderr is not None
            words = self._process.stderr.read().decode(errors="replace").strip().splitlines()
            how = words[-1] if words else f"ended with status {status}"
            raise LoadError(f"the load {self.load.name} is gone: {how}")

    def stop(self) -> None:
        """End it and wait until it is gone. Idempotent."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


@cache
def catalogue() -> Mapping[str, type[Load]]:
    """Every load, by name."""
    # imported here because these modules need the contract above
    from wlat_tui.loads.fsync import FsyncNeighbour
    from wlat_tui.loads.page_cache import PageCache
    from wlat_tui.loads.slabinfo import SlabinfoReader

    return {load.name: load for load in (PageCache, SlabinfoReader, FsyncNeighbour)}
