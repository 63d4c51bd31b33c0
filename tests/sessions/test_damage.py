"""Truncated, damaged and foreign files: one sentence or the frames, never a traceback; repair saves what is whole."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.sessions.makers import recorded, scripted, sorted_buckets
from wlat_tui.commands.repair import repair
from wlat_tui.frame import Frame
from wlat_tui.sessions.past import session_at
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.salvage import Found, salvage
from wlat_tui.sessions.schema import SessionError
from wlat_tui.sessions.store import BLOCK_FRAMES, Store

WHOLE = [sorted_buckets(frame) for frame in scripted(200)]


def read_or_sentence(path: Path) -> list[Frame] | str:
    """Everything a reader does with a file."""
    try:
        with Recording(path) as recording:
            recording.number_at(WHOLE[1].end_ns)
            for table in ("frame", "digest", "digest_node", "digest_gap"):
                list(recording.rows(f"SELECT * FROM {table}"))
            if len(recording):
                session_at(recording, len(recording) // 2)
            return list(recording.frames())
    except SessionError as error:
        return str(error)


def is_sentence(said: str, path: Path) -> bool:
    return str(path) in said and "\n" not in said and "Traceback" not in said


def test_cut_at_every_byte_a_small_file_gives_one_sentence_unless_nothing_is_lost(tmp_path: Path) -> None:
    frames = scripted(1, "no_writer")
    path = recorded(tmp_path / "a.wlat", frames)
    database = sqlite3.connect(path)
    database.executescript("PRAGMA page_size = 512; VACUUM;")  # small enough to try every length
    database.close()
    data = path.read_bytes()
    cut = tmp_path / "cut.wlat"
    cut.write_bytes(data)
    for length in range(len(data) - 1, -1, -1):
        with cut.open("r+b") as file:
            file.truncate(length)
        said = read_or_sentence(cut)
        if len(data) - length < 512 and said == frames:
            continue  # the last page ends with zeros that mean nothing
        assert isinstance(said, str), length
        assert is_sentence(said, cut), length


@pytest.mark.parametrize("seed", range(24))
def test_damaged_anywhere_a_file_gives_one_sentence_or_what_was_recorded(tmp_path: Path, seed: int) -> None:
    path = recorded(tmp_path / "a.wlat", WHOLE)
    data = bytearray(path.read_bytes())
    dice = random.Random(seed)
    for _ in range(dice.choice((1, 3, 40))):
        at = dice.randrange(min(len(data), 4096) if seed % 3 == 0 else len(data))
        part = dice.randbytes(dice.choice((1, 4, 600)))
        data[at : at + len(part)] = part
    path.write_bytes(data)
    said = read_or_sentence(path)
    assert said == WHOLE if isinstance(said, list) else is_sentence(said, path)
    found = Found()
    saved = list(salvage(path, found))
    assert len(saved) == found.frames
    by_end = {frame.end_ns: frame for frame in WHOLE}
    assert all(by_end[frame.end_ns] == frame for frame in saved)


def test_foreign_files_are_called_what_they_are(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE t (a); PRAGMA user_version = 3")
    for name, content in {"empty": b"", "text": b"hello", "noise": random.Random(1).randbytes(5_000)}.items():
        (tmp_path / name).write_bytes(content)
    expected = {
        "empty": "nothing was recorded",
        "text": "is not a recording of wlat",
        "noise": "is not a recording of wlat",
        "other.db": "is an SQLite database, but not a recording",
        "missing": "No such file",
        ".": "Is a directory",
    }
    for name, words in expected.items():
        with pytest.raises(SessionError, match=words):
            Recording(tmp_path / name)


def test_a_file_with_something_else_in_a_tables_place_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", WHOLE[:3])
    database = sqlite3.connect(path)
    database.executescript(
        "DROP TABLE mark; CREATE VIEW mark AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;"
    )
    database.close()
    with pytest.raises(SessionError, match="no table mark"):
        Recording(path)


def run_repair(*arguments: Path | str) -> tuple[int, str]:
    result = CliRunner().invoke(repair, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_repair_saves_every_block_but_the_damaged_one(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", WHOLE, each=BLOCK_FRAMES)
    data = bytearray(path.read_bytes())
    database = sqlite3.connect(path)
    (block,) = database.execute("SELECT data FROM block WHERE first = 60").fetchone()
    database.close()
    at = data.find(block[:400])
    data[at + 200] ^= 1
    path.write_bytes(data)
    assert isinstance(read_or_sentence(path), str)
    status, said = run_repair(path)
    assert status == 0, said
    back = read_or_sentence(tmp_path / "a-repaired.wlat")
    assert back == WHOLE[:60] + WHOLE[120:]
    assert "140 frames saved, 60 are missing" in said


def test_repair_needs_no_beginning_and_no_end_of_the_file(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", WHOLE)
    data = path.read_bytes()
    path.write_bytes(bytes(4096) + data[4096 : len(data) * 2 // 3])
    status, said = run_repair(path, "-o", tmp_path / "b.wlat")
    assert status == 0, said
    back = read_or_sentence(tmp_path / "b.wlat")
    assert isinstance(back, list)
    assert len(back) >= BLOCK_FRAMES
    assert all(frame in WHOLE for frame in back)


def test_repair_takes_the_wal_of_a_killed_recording_with_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "live.wlat", {}, durable=False)
    for start in range(0, 100, 5):
        store.append(WHOLE[start : start + 5])
    for end in ("", "-wal"):
        shutil.copy(f"{store.path}{end}", tmp_path / f"killed.wlat{end}")
    store.close()
    assert read_or_sentence(tmp_path / "killed.wlat") == WHOLE[:100]
    (tmp_path / "killed.wlat-shm").unlink(missing_ok=True)
    status, said = run_repair(tmp_path / "killed.wlat", "-o", tmp_path / "b.wlat")
    assert status == 0, said
    assert read_or_sentence(tmp_path / "b.wlat") == WHOLE[:100]


def test_repair_says_when_there_is_nothing_to_save_and_leaves_nothing(tmp_path: Path) -> None:
    noise = tmp_path / "noise.wlat"
    noise.write_bytes(random.Random(2).randbytes(100_000))
    status, said = run_repair(noise)
    assert status != 0
    assert "nothing could be saved" in said
    assert [entry.name for entry in tmp_path.iterdir()] == ["noise.wlat"]
    (tmp_path / "noise-repaired.wlat").write_text("mine")
    assert run_repair(noise)[0] == 2
    assert (tmp_path / "noise-repaired.wlat").read_text() == "mine"


def test_the_installed_command_says_it_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.wlat").write_bytes(b"hello")
    ran = subprocess.run(
        [sys.executable, "-m", "wlat_tui", "repair", tmp_path / "a.wlat"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "nothing could be saved" in ran.stderr
