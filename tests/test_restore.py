"""``wlat restore``: says what it did, what it left alone and why, and fails loudly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.mitigations.tree import contents, kernel, make_tree, vm
from wlat_tui import holding
from wlat_tui.commands.restore import NOTHING, put_back, restore
from wlat_tui.holding import Holding
from wlat_tui.mitigations import knob


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tree = make_tree(tmp_path / "host")
    for module in (knob, holding):
        monkeypatch.setattr(module, "put", kernel(tree))
    return tree


@pytest.fixture
def directory(root: Path, tmp_path: Path) -> Path:
    """A ledger left by a keeper that was killed."""
    killed = Holding(root, tmp_path / "ledger")
    assert killed.set("swappiness", "10").ok
    assert killed.set("dirty_background", "bytes 67108864").ok
    killed.close()
    return killed.directory


def test_where_wlat_never_was_there_is_nothing_to_do_and_nothing_is_created(root: Path, tmp_path: Path) -> None:
    assert put_back(root, tmp_path / "ledger") == [NOTHING]
    assert not (tmp_path / "ledger").exists()


def test_everything_is_put_back_and_said_and_then_there_is_nothing_to_do(root: Path, directory: Path, tmp_path: Path) -> None:
    said = put_back(root, directory)
    assert said[1:] == ["vm.dirty_background_ratio/bytes: put back to ratio 10", "vm.swappiness: put back to 60"]
    assert contents(root) == contents(make_tree(tmp_path / "untouched"))
    assert put_back(root, directory) == [NOTHING]


def test_what_someone_else_changed_is_left_alone_and_said(root: Path, directory: Path) -> None:
    vm(root, "swappiness").write_text("33\n")
    said = put_back(root, directory)
    assert any("vm.swappiness was changed to 33 by something other than wlat" in line and "left alone" in line for line in said)
    assert vm(root, "swappiness").read_text() == "33\n"


def test_what_cannot_be_put_back_is_an_error_that_names_it(root: Path, directory: Path) -> None:
    vm(root, "swappiness").chmod(0o444)
    with pytest.raises(click.ClickException, match=r"vm\.swappiness could not be put back to 60") as caught:
        put_back(root, directory)
    assert "vm.dirty_background_ratio/bytes: put back to ratio 10" in caught.value.message


def test_while_a_wlat_runs_nothing_is_touched_and_its_pid_is_named(root: Path, directory: Path) -> None:
    running = Holding(root, directory)
    running.acquire()
    running.set("swappiness", "10")
    before = contents(root)
    with pytest.raises(click.ClickException, match=rf"pid {os.getpid()}.*leave that one first"):
        put_back(root, directory)
    assert contents(root) == before
    running.close()


def test_a_damaged_ledger_is_an_error_with_the_way_out_and_nothing_is_touched(root: Path, directory: Path) -> None:
    path = next(directory.glob("originals-*"))
    path.write_bytes(path.read_bytes()[:40])
    before = contents(root)
    with pytest.raises(click.ClickException, match=r"is damaged.*sudo rm"):
        put_back(root, directory)
    assert contents(root) == before


def test_an_ordinary_user_is_told_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    result = CliRunner().invoke(restore)
    assert result.exit_code == 1
    assert "only root may change kernel settings: sudo " in result.output


@pytest.mark.root
def test_the_installed_command_has_nothing_to_do_on_this_host(real_knobs: Mapping[Path, str]) -> None:
    assert real_knobs
    ended = subprocess.run([sys.executable, "-m", "wlat_tui", "restore"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, NOTHING, "")
