"""wlat as a newcomer gets it: a copy of the sources, and the README's own command typed into a terminal."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.terminal import Terminal

PROJECT = Path(__file__).parents[2]
INSTALL_S = 600.0
USABLE = """
import ensurepip, os, sys, sysconfig
assert sys.version_info >= (3, 11) and os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where it was installed, and what the first start showed."""

    source: Path
    prefix: Path
    first_screen: str
    for_everyone: bool
    """Whether users other than root can run it."""

    @property
    def wlat(self) -> str:
        return str(self.prefix / "bin" / "wlat")


def commands() -> list[str]:
    """The lines of the README's shell blocks, in order: first what installs and runs wlat, then what runs the tests."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (PROJECT / "README.md").read_text(), re.M | re.S)
    return [line for block in blocks for line in block.splitlines() if line]


def install(directory: Path, ready: str) -> Installation:
    """Copy the sources into ``directory`` and type the README's first command there, until the screen shows ``ready``.

    Raises:
        AssertionError: The command failed or the screen did not come up.
    """
    source = directory / "wlat"
    copy_sources(source)
    python = python_for_everyone()
    first = commands()[0]
    path = f"{(python or Path(sys._base_executable)).parent}:{os.environ['PATH']}"  # type: ignore[attr-defined]
    with Terminal(["sh", "-c", f"umask 022; {first}"], cwd=source, env={"PATH": path, "VIRTUAL_ENV": None}) as terminal:
        screen = terminal.wait_for(ready, INSTALL_S)
        terminal.press("q")
        assert terminal.wait() == 0, terminal.dump()
        assert terminal.left_on() == []
    return Installation(source, source / ".venv", screen, python is not None)


def copy_sources(target: Path) -> None:
    """What a clone of the working tree would hold: no build leftovers, no environments."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=PROJECT, capture_output=True, check=True
    ).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        if (PROJECT / name).exists():  # deleted but not yet committed otherwise
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, target / name)


def python_for_everyone() -> Path | None:
    """A Python that any user may execute, with what the README asks for; None if this machine has none.

    Root's own (under /root, say) cannot be used from a virtual environment by anybody else.
    """
    own = Path(sys._base_executable)  # type: ignore[attr-defined]
    for python in (own.with_name("python3"), Path("/usr/bin/python3"), Path("/usr/local/bin/python3")):
        if not python.exists() or not _open_to_all(python.resolve()):
            continue
        if subprocess.run([python, "-c", USABLE], capture_output=True, check=False).returncode == 0:
            return python
    return None


def _open_to_all(path: Path) -> bool:
    return all(step.stat().st_mode & 0o001 for step in (path, *path.parents))
