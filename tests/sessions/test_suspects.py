"""Who was seen disturbing the writes is a table of the file: who, what, how long, and whether a stall was going on."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.model.makers import a_frame, a_tick, a_write, at
from tests.sessions.makers import recorded, scripted
from wlat_tui.cli import cli
from wlat_tui.evidence import Disturbance, Thread
from wlat_tui.frame import Frame, Settings, Write
from wlat_tui.model.session import Session
from wlat_tui.sessions.store import BLOCK_FRAMES, Store

MS = 1_000_000
PROBE = Thread(4711, "probe", "/opt/probe --slabs", "probe.service", 99, "watch probe")
FIXTURES = Path(__file__).parent / "fixtures"


def a_read(begin_ns: int, length_ns: int, kind: str = "read", by: Thread = PROBE) -> Disturbance:
    return Disturbance(kind, "/proc/slabinfo", by, begin_ns, begin_ns + length_ns, 1, length_ns)


def stalled(i: int, stall: Write, *disturbances: Disturbance) -> Frame:
    tick = a_tick(i + 1, at(i), at(i + 1), [stall], stalls=(stall,))
    return a_frame(i, None, writer=tick, disturbances=disturbances)


def stalls_of(path: Path) -> list[tuple[str, int | None]]:
    database = sqlite3.connect(path)
    rows = database.execute("SELECT kind, stalls FROM suspect ORDER BY rowid").fetchall()
    database.close()
    return rows


@pytest.mark.parametrize("each", [1, 2, 60])
def test_a_suspect_counts_the_stalls_it_overlapped_told_before_or_after_it(tmp_path: Path, each: int) -> None:
    first, second = a_write(at(1), 30 * MS), a_write(at(3), 200 * MS)
    frames = [
        a_frame(0, disturbances=(a_read(at(0), MS),)),
        stalled(1, first, a_read(at(1) + MS, 5 * MS), a_read(at(1) + MS, 5 * MS, "cpu")),
        a_frame(2, disturbances=(a_read(at(1) + 10 * MS, MS, "fsync"),)),  # told late
        a_frame(3, disturbances=(a_read(at(3) + MS, MS, "preempted"),)),
        stalled(4, second, a_read(at(1), 500 * MS, "write")),
    ]
    path = recorded(tmp_path / "a.wlat", frames, each=each)
    assert stalls_of(path) == [("read", 0), ("read", 1), ("cpu", None), ("fsync", 1), ("preempted", 1), ("write", 2)]


def test_the_table_says_who_did_what_for_how_long(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", [a_frame(0, disturbances=(a_read(at(0), MS),))])
    said = CliRunner().invoke(cli, ["export", str(path), "--format", "csv", "--table", "suspect"])
    assert list(csv.DictReader(said.stdout.splitlines())) == [
        {
            **{"frame": "0", "begin_ns": str(at(0)), "end_ns": str(at(0) + MS), "kind": "read", "what": "/proc/slabinfo"},
            **{"pid": "4711", "comm": "probe", "command": "/opt/probe --slabs", "container": "probe.service"},
            **{"parent_pid": "99", "parent": "watch probe", "count": "1", "spent_ns": str(MS), "own": "0", "stalls": "0"},
        }
    ]


def test_the_table_agrees_with_what_the_screen_says(tmp_path: Path) -> None:
    frames = scripted(5 * 82, "told", settings=Settings(interval_ns=2_000_000))
    path = recorded(tmp_path / "a.wlat", frames)
    session = Session()
    for frame in frames:
        session.fold(frame)
    database = sqlite3.connect(path)
    rows = database.execute(
        "SELECT kind, what, sum(count), sum(spent_ns), coalesce(sum(stalls), 0) > 0 FROM suspect GROUP BY 1, 2"
    )
    told = {(kind, what): tuple(figures) for kind, what, *figures in rows}
    database.close()
    shown = {(s.kind, s.what): (s.count, s.spent_ns, s.stalls > 0) for s in session.suspects.ranked()}
    assert told == shown
    assert any(during for _, _, during in told.values())


def test_copies_keep_the_suspects_and_an_anonymous_one_not_their_names(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", [a_frame(0), stalled(1, a_write(at(1), 30 * MS), a_read(at(1), MS)), a_frame(2)])
    for command, copy in (("cut", "a-cut.wlat"), ("anonymize", "a-anonymous.wlat"), ("repair", "a-repaired.wlat")):
        assert CliRunner().invoke(cli, [command, str(path)]).exit_code == 0
        assert stalls_of(tmp_path / copy) == [("read", 1)], command
    database = sqlite3.connect(tmp_path / "a-anonymous.wlat")
    row = database.execute("SELECT what, comm, command, container, parent, pid FROM suspect").fetchone()
    assert row == ("/proc/slabinfo", "program-2", "", "program-1", "", 4711)
    database.close()


def test_what_is_rolled_up_keeps_those_at_work_during_a_stall(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.wlat", {}, durable=False)
    frames = [a_frame(i) for i in range(2 * BLOCK_FRAMES)]
    frames[3] = a_frame(3, disturbances=(a_read(at(3), MS),))
    frames[5] = stalled(5, a_write(at(5), 30 * MS), a_read(at(5), MS))
    store.append(frames)
    store.forget_before(at(BLOCK_FRAMES + 1))
    store.close()
    database = sqlite3.connect(tmp_path / "a.wlat")
    assert database.execute("SELECT frame, stalls FROM suspect").fetchall() == [(5, 1)]
    database.close()


def test_info_names_who_was_at_work_during_stalls(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", [a_frame(0), stalled(1, a_write(at(1), 30 * MS), a_read(at(1), MS)), a_frame(2)])
    said = CliRunner().invoke(cli, ["info", str(path)]).stdout
    assert "suspect /opt/probe --slabs: read /proc/slabinfo once, 1.00ms in all, once during a stall" in said


def test_a_file_from_before_the_table_says_how_to_get_it(tmp_path: Path) -> None:
    old = tmp_path / "old.wlat"
    old.write_bytes((FIXTURES / "version-1.2.wlat").read_bytes())
    said = CliRunner().invoke(cli, ["export", str(old), "--format", "csv", "--table", "suspect"])
    assert said.exit_code == 2
    assert f"is of format 1.2 and has no table suspect: 'wlat cut {old}' makes a copy with it" in said.output
    assert CliRunner().invoke(cli, ["info", str(old)]).exit_code == 0
    assert CliRunner().invoke(cli, ["cut", str(old)]).exit_code == 0
    said = CliRunner().invoke(cli, ["export", str(tmp_path / "old-cut.wlat"), "--format", "csv", "--table", "suspect"])
    assert said.exit_code == 0
