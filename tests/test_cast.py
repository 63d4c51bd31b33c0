"""The screen as an asciinema recording: another program reads it and sees what the eye saw."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyte
import pytest
from asciinema.asciicast import open_from_url

from tests.e2e.terminal import Terminal, eventually
from wlat_tui.cast import Cast


def played(path: Path, until: str | None = None) -> pyte.Screen:
    """What asciinema's own reader would show at the end, or before this is sent."""
    with open_from_url(str(path)) as cast:
        header = cast.v2_header
        screen = pyte.Screen(header["width"], header["height"])
        stream = pyte.Stream(screen)
        before = 0.0
        for at, kind, text in cast.events():
            assert at >= before >= 0
            before = at
            if until is not None and until in text:
                break
            if kind == "r":
                width, height = map(int, text.split("x"))
                screen.resize(height, width)
            if kind == "o":
                stream.feed(text)
    return screen


def test_asciinema_reads_the_screen_of_a_whole_run(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    command = [sys.executable, "-m", "wlat_tui", "--demo", "--cast", str(path), "--flight", "0s"]
    with Terminal(command, cols=100, rows=30) as terminal:
        terminal.wait_for("NUMA nodes")
        terminal.wait_for("writes/s")
        terminal.resize(110, 30)
        eventually(lambda: '"110x30"' in path.read_text(), "the new size is in the file")
        terminal.press("q")
        assert terminal.wait() == 0
    assert path.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert (lines[0]["version"], lines[0]["width"], lines[0]["height"]) == (2, 100, 30)
    assert [1, "r", "110x30"][1:] in [line[1:] for line in lines[1:]]
    sent = "".join(line[2] for line in lines[1:] if line[1] == "o")
    assert "\x1b[?1049h" in sent
    assert "\x1b[?1049l" in sent
    screen = played(path, until="\x1b[?1049l")
    assert any("NUMA nodes" in row for row in screen.display)


def test_characters_cut_between_two_writes_come_whole(tmp_path: Path) -> None:
    cast = Cast(tmp_path / "a.cast", "a test")
    cast.begin(20, 5)
    data = "█▇▆ ok".encode()
    for i in range(len(data)):
        cast.output(data[i : i + 1])
    assert cast.close() is None
    assert cast.close() is None
    assert played(tmp_path / "a.cast").display[0].startswith("█▇▆ ok")


def test_it_never_overwrites_and_a_run_without_a_screen_leaves_no_thread(tmp_path: Path) -> None:
    Cast(tmp_path / "a.cast", "a test").close()
    with pytest.raises(FileExistsError):
        Cast(tmp_path / "a.cast", "a test")
