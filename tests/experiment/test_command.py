"""``wlat experiment`` as it is typed; on this host nothing stays changed, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from tests.conftest import read_knobs
from tests.e2e.terminal import eventually
from wlat_tui.experiment.outcome import phases_of
from wlat_tui.sessions.recording import Recording

SHORT = """\
title = "A short one"
rounds = 2
phase = "1s"
warm-up = "0s"
[writer]
interval = "1ms"
[[side]]
name = "as it was"
[[side]]
name = "other"
load = ["fsync"]
set = { swappiness = 11, compaction_proactiveness = 3 }
"""
LONG = SHORT.replace('phase = "1s"', 'phase = "600s"').replace(
    'name = "as it was"', 'name = "as it was"\nset = { swappiness = 12 }\nload = ["fsync"]'
)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    from wlat_tui.kernel.mounts import disk_refusal, read_target

    target = read_target(tmp_path)
    if target is not None and (refusal := disk_refusal(target)) is not None:
        pytest.skip(f"needs a temporary directory on a disk: {refusal}")
    return tmp_path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "wlat_tui", "experiment", *map(str, arguments)]


def wlat(*arguments: object, status: int = 0) -> str:
    ran = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == status, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr if status else ran.stdout


def plan(directory: Path, text: str) -> Path:
    path = directory / "plan.toml"
    path.write_text(text)
    return path


def test_the_plans_that_come_with_wlat_are_listed() -> None:
    said = wlat("--list")
    for name in ("baseline", "zone_reclaim_mode", "prewarm", "slabinfo"):
        assert f"\n{name} " in f"\n{said}"


def test_a_bad_plan_is_one_sentence_with_the_line(tmp_path: Path) -> None:
    path = plan(tmp_path, SHORT.replace("rounds = 2", "rounds = many"))
    said = wlat(path, status=2)
    assert said.startswith(f"wlat: {path}, line 2: ")
    assert said.count("\n") == 1
    said = wlat(plan(tmp_path, SHORT.replace("interval", "intervall")), status=2)
    assert "line 6: 'intervall' is no setting of the writer" in said
    said = wlat(plan(tmp_path, SHORT.replace("1ms", "1 parsec")), status=2)
    assert "line 6: " in said


def test_the_demo_plays_a_plan_and_prints_its_sides(tmp_path: Path) -> None:
    out = tmp_path / "a.wlat"
    said = wlat(plan(tmp_path, SHORT), "--demo", "--seed", 3, "--rounds", 1, "-o", out)
    assert "A short one" in said
    assert "2 phases, seed 3" in said
    with Recording(out) as recording:
        assert recording.facts["experiment"]["seed"] == 3
        assert recording.facts["options"]["interval_ns"] == 1_000_000
        assert {phase.side for phase in phases_of(recording)} == {"as it was", "other"}
    assert "is not overwritten" in wlat(plan(tmp_path, SHORT), "--demo", "-o", out, status=2)


@pytest.mark.root
def test_sides_take_turns_on_this_host_and_everything_is_put_back(disk: Path, real_knobs: Mapping[Path, str]) -> None:
    out = disk / "a.wlat"
    wlat(plan(disk, SHORT), "--dir", disk, "-o", out)
    assert read_knobs() == real_knobs
    with Recording(out) as recording:
        found = phases_of(recording)
        assert sorted(phase.side for phase in found) == ["as it was", "as it was", "other", "other"]
        for phase in found:
            frame = recording.known_at(recording.number_at(phase.end_ns) - 1)
            assert frame.knobs is not None
            values = [frame.knobs[name].current for name in ("swappiness", "compaction_proactiveness")]
            swappiness = real_knobs[Path("/proc/sys/vm/swappiness")]
            assert values[0] == ("11" if phase.side == "other" else swappiness)
            assert phase.side != "other" or values[1] == "3"
    assert sorted(os.listdir(disk)) == ["a.wlat", "plan.toml"]


@pytest.mark.root
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_signal_in_mid_phase_puts_everything_back_and_the_file_opens(
    disk: Path, real_knobs: Mapping[Path, str], number: signal.Signals
) -> None:
    out = disk / "a.wlat"
    with subprocess.Popen(
        command(plan(disk, LONG), "--dir", disk, "-o", out), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        top = psutil.Process(running.pid)
        eventually(lambda: Path("/proc/sys/vm/swappiness").read_text().strip() in ("11", "12"), "a phase has begun")
        eventually(lambda: len(_children(top)) >= 3, "engine, keeper and load run")
        eventually(lambda: out.exists() and out.stat().st_size > 0, "it is recorded")
        children = _children(top)
        assert any("wlat_tui.loads" in child.cmdline() for child in children)
        running.send_signal(number)
        said, _ = running.communicate(timeout=120)
    assert "Traceback" not in said
    assert running.returncode == (0 if number == signal.SIGINT else -9)
    assert psutil.wait_procs(children, 60)[1] == []
    assert read_knobs() == real_knobs
    with Recording(out) as recording:
        assert recording.closed is (number == signal.SIGINT)
        assert phases_of(recording) == ()


@pytest.mark.root
def test_without_root_settings_are_refused_before_anything_starts(disk: Path) -> None:
    """As an ordinary user: --read-only refuses the same way, before a file is made."""
    said = wlat(plan(disk, SHORT), "--dir", disk, "-o", disk / "a.wlat", "--read-only", status=2)
    assert "side 'other' cannot run: " in said
    assert os.listdir(disk) == ["plan.toml"]


def _children(top: psutil.Process) -> list[psutil.Process]:
    try:
        return list(top.children(recursive=True))
    except psutil.NoSuchProcess:
        return []
