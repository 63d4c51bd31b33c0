"""What follows a run: commands on stalls, and the end after enough of them."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.terminal import Terminal
from tests.model.makers import a_frame, a_write, at
from wlat_tui.evidence import StallTrace, TraceLevel, Tracer
from wlat_tui.followers.on_stall import OnStall, command_line
from wlat_tui.followers.stop_after import StopAfter, caught
from wlat_tui.frame import Settings
from wlat_tui.model.session import Session
from wlat_tui.renderables.line import plain
from wlat_tui.renderables.stall_row import columns_for, stall_row
from wlat_tui.sources.scripted import ScriptedSource
from wlat_tui.sources.scripted_evidence import MONITOR

WAIT_S = 30.0


def a_source() -> ScriptedSource:
    """The story with fewer, larger writes: making them up is what costs."""
    return ScriptedSource(settings=Settings(interval_ns=2_000_000, write_bytes=2_200))


def a_run() -> tuple[ScriptedSource, Session]:
    """The demo's story up to its first explained stall."""
    source, session = a_source(), Session()
    while not session.explained:
        session.fold(source.next_frame())
    return source, session


@pytest.fixture(scope="module")
def told() -> tuple[ScriptedSource, Session]:
    return a_run()


def a_program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_command_gets_the_stall_as_json_and_needs_no_shell(
    tmp_path: Path, told: tuple[ScriptedSource, Session]
) -> None:
    _, session = told
    said: list[str] = []
    out = tmp_path / "out with $(blanks)"
    follower = OnStall(command_line(f"tee '{out}'", shell=False), said.append)
    assert follower.take(session) is None
    await until(lambda: out.exists() and out.read_text().endswith("\n"))
    facts = json.loads(out.read_text())
    one = session.explained[-1]
    assert facts["cause"] in {explained.verdict.cause for explained in session.explained}
    assert facts["took_ns"] >= one.verdict.span_ns
    assert sum(facts["shares_ns"].values()) == facts["took_ns"]
    assert facts["advice"]
    await until(lambda: follower._running is None)
    assert said == []
    await follower.close()


async def test_stalls_in_a_burst_start_one_command_and_are_counted_for_the_next(tmp_path: Path) -> None:
    source, session = a_run()
    log = tmp_path / "log"
    follower = OnStall(command_line(f"cat >> {log}", shell=True), print, rest_s=3600)
    follower.take(session)
    await until(lambda: follower._running is None)
    while len(session.explained) < 8:
        session.fold(source.next_frame())
        follower.take(session)
    assert follower.runs == 1
    follower._started = None  # an hour later
    while follower.runs < 2:
        session.fold(source.next_frame())
        follower.take(session)
    await until(lambda: follower._running is None)
    first, second = (json.loads(line) for line in log.read_text().splitlines())
    assert second["stalls"] > first["stalls"]
    assert second["passed_over"] == len(session.explained) - 1 - (first["passed_over"] + 1)
    await follower.close()


@pytest.mark.parametrize(
    ("body", "words"),
    [("echo out of paper >&2; exit 3", "ended with exit status 3: out of paper"), ("sleep 600", "still ran after 0.2 s")],
)
async def test_a_failure_is_told_once(tmp_path: Path, body: str, words: str, told: tuple[ScriptedSource, Session]) -> None:
    said: list[str] = []
    program = a_program(tmp_path / "a", body)
    follower = OnStall([str(program)], said.append, rest_s=0, limit_s=0.2 if "sleep" in body else 60)
    for _ in range(2):
        follower._seen = None
        follower.take(told[1])
        await until(lambda: follower._running is None)
    assert follower.runs == 2
    assert len(said) == 1
    assert words in said[0]
    await follower.close()


async def test_a_program_that_is_gone_meanwhile_is_told(tmp_path: Path, told: tuple[ScriptedSource, Session]) -> None:
    said: list[str] = []
    follower = OnStall([str(tmp_path / "gone")], said.append)
    follower.take(told[1])
    await until(lambda: said)
    assert "could not be started: No such file or directory" in said[0]
    await follower.close()


async def test_a_command_that_does_not_read_and_one_that_says_too_much_are_no_trouble(
    tmp_path: Path, told: tuple[ScriptedSource, Session]
) -> None:
    said: list[str] = []
    program = a_program(tmp_path / "a", "exec 0<&-; i=0; while [ $i -lt 20000 ]; do echo much; i=$((i+1)); done >&2; exit 1")
    follower = OnStall([str(program)], said.append)
    follower.take(told[1])
    await until(lambda: said)
    assert len(said[0]) < 700
    await follower.close()


async def test_a_command_that_is_only_being_started_holds_nobody_up(told: tuple[ScriptedSource, Session]) -> None:
    for turns in range(4):
        follower = OnStall(["/bin/sh", "-c", "sleep 600"], print, limit_s=0)
        follower.take(told[1])
        for _ in range(turns):
            await asyncio.sleep(0)
        async with asyncio.timeout(WAIT_S):
            await follower.close()


async def test_what_still_runs_is_killed_with_its_children_when_wlat_ends(
    tmp_path: Path, told: tuple[ScriptedSource, Session]
) -> None:
    pids = tmp_path / "pids"
    program = a_program(tmp_path / "a", f"sleep 600 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait")
    follower = OnStall([str(program)], print)
    follower.take(told[1])
    await until(pids.exists)
    await follower.close()
    await until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))
    follower._seen = None
    follower.take(told[1])
    assert follower.runs == 1


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_a_wlat_that_is_killed_leaves_no_command_behind(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    program = a_program(tmp_path / "a", f"echo $$ > {pids}.new; mv {pids}.new {pids}; exec sleep 600")
    code = (
        "import asyncio, tests.test_followers as t\n"
        "async def main():\n"
        f"    t.OnStall([{str(program)!r}], print).take(t.a_run()[1])\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    wlat = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[1])
    try:
        asyncio.run(until(pids.exists))
    finally:
        wlat.kill()
        wlat.wait()
    asyncio.run(until(lambda: not alive(int(pids.read_text()))))


@pytest.mark.parametrize(
    ("text", "shell", "words"),
    [
        ("", False, "is empty"),
        ("  ", True, "is empty"),
        ("tee 'a", False, "close every quote"),
        ("no-such-program-here x", False, "there is no program 'no-such-program-here'"),
    ],
)
def test_a_command_that_cannot_work_is_refused_in_one_sentence(text: str, shell: bool, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        command_line(text, shell)


def test_the_run_ends_after_so_many_stalls_once_the_last_is_explained() -> None:
    source, session = a_source(), Session()
    follower = StopAfter(12)
    reason = None
    while reason is None:
        session.fold(source.next_frame())
        reason = follower.take(session)
        if session.headline().stalls < 12:
            assert reason is None
    assert session.headline().stalls >= 12
    assert len(session.explained) == session.stall_count
    assert "caught" in reason
    report = "\n".join(caught(session))
    assert f"{session.stall_count} stalls in write() and 0 late wakes" in report
    assert report.count("new-page") == session.stall_count
    assert MONITOR.comm in report


def test_a_trace_that_is_still_being_read_is_waited_for_before_the_run_ends() -> None:
    session, follower = Session(), StopAfter(1)
    session.fold(a_frame(0, tracer=Tracer(TraceLevel.FULL, False, ())))
    stall = a_write(at(1), 9_000_000)
    frame = a_frame(1, (stall,))
    assert frame.writer is not None
    session.fold(replace(frame, writer=replace(frame.writer, stalls=(stall,), stall_count=1)))
    for i in range(2, 60):
        session.fold(a_frame(i, traces_awaited_ns=stall.planned_ns))
        assert follower.take(session) is None
    session.fold(a_frame(60, traces=(StallTrace(stall.planned_ns, stall.planned_ns, stall.end_ns, ()),)))
    session.fold(a_frame(61))
    assert follower.take(session) == "1 stall caught"
    assert session.explained[-1].verdict.level is TraceLevel.FULL


def test_late_wakes_are_summed_by_cause_and_not_listed_among_the_stalls() -> None:
    session = Session()
    slow = a_write(at(0), 9_000_000)
    late = [replace(a_write(at(i), 5_000), planned_ns=at(i) - 7_000_000) for i in (1, 2)]
    for i, stall in enumerate((slow, *late)):
        frame = a_frame(i, (stall,))
        assert frame.writer is not None
        session.fold(replace(frame, writer=replace(frame.writer, stalls=(stall,), stall_count=1)))
    for i in range(3, 6):
        session.fold(a_frame(i))
    told = caught(session)
    assert told[0] == "1 stall in write() and 2 late wakes"
    assert [line for line in told if "9.00ms" in line]
    assert not [line for line in told if "7.01ms" in line]
    assert told[-1] == "late wakes: late timer 2"
    row = plain(stall_row(session.explained[-1], columns_for(80, False), "09:00:00", None))
    assert " wake     ~late timer " in row or " wake      late timer " in row


def wlat(*arguments: str, status: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wlat_tui", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "TZ": "UTC"}, check=False)
    assert ran.returncode == status, ran.stderr
    return ran


def test_flags_that_cannot_work_are_refused_before_anything_starts(tmp_path: Path) -> None:
    path = str(tmp_path / "a.wlat")
    said = wlat("record", "--demo", "-o", path, "--on-stall", "no-such-program-here", status=2).stderr
    assert said.count("\n") == 1
    assert "there is no program" in said
    assert "needs --on-stall" in wlat("record", "--demo", "-o", path, "--on-stall-shell", status=2).stderr
    assert not Path(path).exists()
    assert "there is no program" in wlat_on_a_terminal("--demo", "--on-stall", "no-such-program-here")


def test_the_live_screen_ends_after_so_many_stalls_and_prints_them() -> None:
    said = wlat_on_a_terminal("--demo", "--threshold", "10us", "--size", "4096", "--stop-after", "1")
    assert "caught in" in said
    assert " in write() and " in said


def wlat_on_a_terminal(*arguments: str) -> str:
    """What is on the screen when it has ended."""
    with Terminal([sys.executable, "-m", "wlat_tui", *arguments], rows=60) as terminal:
        terminal.wait()
        return terminal.text


def test_recording_stops_after_stalls_and_lists_them_with_their_causes(tmp_path: Path) -> None:
    out = tmp_path / "stall.json"
    command = (
        "record",
        "--demo",
        "--threshold",
        "10us",
        "--size",
        "4096",
        "-o",
        str(tmp_path / "a.wlat"),
        "--stop-after",
        "1",
    )
    ran = wlat(*command, "--on-stall", f"tee {out}", status=0)
    assert "caught" in ran.stdout
    assert " in write() and " in ran.stdout
