"""Bad input is one sentence and exit status 2, before anything is started or changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.host import strays
from tests.e2e.installation import Installation
from tests.e2e.terminal import Terminal

# arguments -> a word the sentence must hold
BAD = {
    "--interval 5": "interval",
    "--interval 1us": "interval",
    "--interval 2h": "interval",
    "--interval soon": "soon",
    "--size 0": "size",
    "--size -3": "size",
    "--size 2M": "size",
    "--policy bind:1000": "there is no node 1000 here",
    "--cpu 4000": "may not run on CPU 4000",
    "--size many": "many",
    "--threshold 0": "threshold",
    "--segment 1K": "segment",
    "--disk-limit 1M": "disk",
    "--prewarm maybe": "maybe",
    "--cpu 0-": "0-",
    "--cpu 99999": "99999",
    "--policy bind": "bind",
    "--policy bind:x": "bind:x",
    "--mode busy": "busy",
    "--dir /nonexistent/place": "/nonexistent/place",
    "--dir /etc/hostname": "/etc/hostname",
    "--config /nonexistent.toml": "/nonexistent.toml",
    "--no-such-flag": "--no-such-flag",
    "--force": "--force",
    "no-such-command": "no-such-command",
    "topology --wrong": "--wrong",
    "doctor --wrong": "--wrong",
    "restore now": "now",
    "completion tcsh": "tcsh",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_one_sentence(wlat: Installation, target: Path, arguments: str) -> None:
    with Terminal([wlat.wlat, *arguments.split()], cols=300, cwd=target) as terminal:
        assert terminal.wait() == 2, terminal.dump()
        said = terminal.text.strip().splitlines()
        assert len(said) == 1, terminal.dump()
        assert said[0].startswith("wlat: ")
        assert BAD[arguments] in said[0]
        assert "Traceback" not in terminal.text
        assert not terminal.used_alternate_screen()
    assert strays(wlat.prefix) == []


def test_without_a_terminal_it_says_what_to_use(wlat: Installation, target: Path) -> None:
    done = subprocess.run([wlat.wlat], cwd=target, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "terminal" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_memory_filesystem_is_refused_by_name(wlat: Installation) -> None:
    with Terminal([wlat.wlat, "--dir", "/dev/shm"], cols=300) as terminal:
        assert terminal.wait() == 2, terminal.dump()
        assert "tmpfs" in terminal.text


def test_version_names_what_a_bug_report_needs(wlat: Installation) -> None:
    said = subprocess.run([wlat.wlat, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.startswith("wlat ")
    assert "Linux" in said
    assert "Python" in said


def test_a_reader_that_leaves_early_is_no_error(wlat: Installation) -> None:
    pipeline = f"set -o pipefail; {wlat.wlat} --help | head -n 1"
    done = subprocess.run(["bash", "-c", pipeline], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
