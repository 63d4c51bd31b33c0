"""The README's promises that a machine can keep an eye on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.installation import PROJECT, Installation, commands, copy_sources
from tests.e2e.screen import READY


def test_the_first_command_installs_and_runs(wlat: Installation) -> None:
    """Typed into a terminal in a copy of the sources; the fixture waited for the screen and left with q."""
    assert READY in wlat.first_screen
    assert commands()[0].endswith("wlat")


def test_ci_runs_the_second_command_word_for_word() -> None:
    assert commands()[1].endswith("pytest")
    finds = subprocess.run(
        ["grep", "-x", "python3 -m venv .*pytest", "README.md"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert finds.stdout.splitlines() == [commands()[1]]


def test_the_module_is_the_command(wlat: Installation) -> None:
    python = wlat.prefix / "bin" / "python"
    as_module = subprocess.run([python, "-m", "wlat_tui", "--version"], capture_output=True, text=True, check=True).stdout
    assert as_module == subprocess.run([wlat.wlat, "--version"], capture_output=True, text=True, check=True).stdout


def test_installing_left_the_sources_as_they_were(wlat: Installation) -> None:
    """Apart from what .gitignore lists: the environment and the compiled core."""
    added = [path.name for path in wlat.source.iterdir() if not (PROJECT / path.name).exists() and path.name != ".venv"]
    assert added == []


@pytest.mark.skipif("WLAT_INSTALLERS" not in os.environ, reason="downloads from the internet; WLAT_INSTALLERS=1 asks for it")
@pytest.mark.parametrize("installer", ["pipx", "uvx"])
def test_other_installers_do_it_too(tmp_path: Path, installer: str) -> None:
    (command,) = re.findall(rf"`({installer} [^`]+)`", (PROJECT / "README.md").read_text())
    tools, source = tmp_path / "tools", tmp_path / "wlat"
    copy_sources(source)
    subprocess.run([sys.executable, "-m", "venv", tools], check=True)
    subprocess.run([tools / "bin" / "pip", "install", "-q", "pipx", "uv"], check=True)
    own = {"PIPX_HOME": tmp_path / "pipx", "PIPX_BIN_DIR": tools / "bin", "UV_CACHE_DIR": tmp_path / "uv"}
    env = os.environ | {name: str(place) for name, place in own.items()} | {"PATH": f"{tools / 'bin'}:{os.environ['PATH']}"}
    said = subprocess.run(["sh", "-c", f"{command} --version"], cwd=source, env=env, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1].startswith("wlat ")
