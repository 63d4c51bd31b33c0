"""Every benchmark measures what it says, refuses what it cannot measure, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from wlat_tui.bench import effect, fidelity, large_host, pressure, reach, screen, suspects, tracer
from wlat_tui.bench.terminal import ESCAPE, BenchError, MeasuredTerminal
from wlat_tui.bench.under_screen import under_screen
from wlat_tui.cli import cli
from wlat_tui.kernel.mounts import disk_refusal, read_target
from wlat_tui.sources.readings import SECOND_NS, Readings

PATIENCE_S = 60


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A directory on a real filesystem; nothing may be left in it."""
    target = read_target(tmp_path)
    if target is not None and (refusal := disk_refusal(target)) is not None:
        pytest.skip(f"needs a temporary directory on a disk: {refusal}")
    return tmp_path


def columns(line: str) -> tuple[str, float, float]:
    """Name of the figure, first side, second side."""
    found = re.match(r"  (\S.*?)\s{2,}([\d.]+)us\s+([\d.]+)us", line)
    assert found, line
    return found[1], float(found[2]), float(found[3])


def test_fidelity_compares_its_sides_and_takes_turns(disk: Path) -> None:
    said: list[str] = []
    lines = fidelity.run(disk, 1.0, 2, said.append, warm_up_s=0.2)
    sides = ["bare loop", "undrawn", "bare again", "under screen"]
    assert [line.split(", ")[1] for line in said] == sides + sides[::-1]
    figures = {name: (bare, shown) for name, bare, shown in map(columns, lines[2:8])}
    assert list(figures) == [f"{span} {part}" for span in ("service", "wake") for part in ("p50", "p99", "p99.9")]
    for side in (0, 1):
        service = [figures[f"service {part}"][side] for part in ("p50", "p99", "p99.9")]
        assert 0 < service[0] < 1000
        assert service == sorted(service)
    assert sum("target" in line for line in lines) == 6
    for table in ("of which the drawing", "noise of this host"):
        begin = lines.index(table) + 2
        assert [name for name, _, _ in map(columns, lines[begin : begin + 6])] == list(figures)
    assert os.listdir(disk) == []


def test_under_the_screen_every_planned_write_is_accounted_for(disk: Path) -> None:
    ran = under_screen(disk, 1_000_000, 0.2, 1.0)
    planned = ran.counts["covered_ns"] / 1e6
    made = ran.counts["writes"] + ran.counts.get("slots skipped", 0)
    assert planned * 0.9 - 5 <= made <= planned * 1.1 + 5
    assert ran.sent_bytes > 3000, "the screen must have been drawn"


def test_the_screen_is_measured_from_its_first_byte_to_its_last(disk: Path) -> None:
    one = screen.one_round(disk, 1.0, ["--full-bandwidth"])
    assert one["first screen s"] > 0
    assert one["first figures s"] > 0
    assert 0 < one["writer cpu %"] < one["cpu %"] < 400
    assert 10 < one["pss MB"] < 500
    assert one["bytes/s"] > 0
    assert one["quit s"] > 0
    assert os.listdir(disk) == []


def test_the_bare_loop_takes_some_of_a_core_and_not_all(disk: Path) -> None:
    assert 0 < screen.bare_writer_cpu_pct(disk, 2.0) < 90


def test_a_first_screen_is_complete_only_with_every_text_and_colours_do_not_hide_them() -> None:
    program = r"import sys; print('\x1b[1mone\x1b[0m', flush=True); sys.stdin.readline(); print('\x1b[38;5;1mtwo\x1b[m')"
    with MeasuredTerminal([sys.executable, "-c", program]) as terminal:
        first = terminal.wait_for({"one": ["one"]}, PATIENCE_S)["one"]
        terminal.type("\n")
        both = terminal.wait_for({"both": ["one", "two"]}, PATIENCE_S)["both"]
        terminal.wait()
    assert 0 < first < both


def test_escape_sequences_are_taken_out_whole() -> None:
    assert ESCAPE.sub(b"", b"\x1b[?2026h\x1b]0;title\x07a\x1b[1;31mb\x1b[>1uc\x1b(Bd")[-6:-3] != b""
    assert ESCAPE.sub(b"", b"\x1b[?2026hw\x1b[0ml\x1b]8;;x\x1b\\at") == b"wlat"


def test_cpu_of_children_that_have_ended_is_counted() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    child = f"subprocess.run([sys.executable, '-c', {burn!r}])"
    program = f"import subprocess, sys; input(); {child}; print('burnt', flush=True); input()"
    with MeasuredTerminal([sys.executable, "-c", program]) as terminal:
        before = terminal._cpu_s()
        terminal.type("\n")
        terminal.wait_for({"burnt": ["burnt"]}, PATIENCE_S)
        assert terminal._cpu_s() - before >= 0.25
        terminal.leave("\n")


def test_a_program_that_fails_is_no_measurement() -> None:
    with (
        pytest.raises(BenchError, match="no such thing"),
        MeasuredTerminal([sys.executable, "-c", "exit('no such thing')"]) as t,
    ):
        t.wait_for({"full": ["never"]}, PATIENCE_S)


def test_reach_counts_writes_and_losses_under_the_screen(disk: Path) -> None:
    lines = reach.fast_writer(disk, 1.0)
    found = re.search(r"([\d,]+) writes of ([\d,]+) planned", lines[1])
    assert found
    assert int(found[1].replace(",", "")) > 1000
    assert abs(int(found[2].replace(",", "")) - 100_000) < 60_000
    assert lines[2].startswith("  lost: ")


def test_reach_reads_the_large_host_as_the_screen_does() -> None:
    lines = large_host.reading(rounds=1)
    assert "64 nodes and 1,024 CPUs" in lines[0]
    assert re.search(r"parse +[\d.]+ ms", lines[1])
    assert "n/a" in lines[-1] or re.match(r" +64 nodes, 1,024 CPUs +\d+ us +\d+ us +[\d.]+ ms$", lines[-1])


def test_a_made_up_tree_is_read_whole(tmp_path: Path) -> None:
    large_host.make_tree(tmp_path)
    found = Readings(tmp_path, "root", tmp_path).read(SECOND_NS, stalled=False, zones_asked=False)
    assert not found.notices
    assert found.host
    assert len(found.host.cpus_online) == len(found.cpu_times or ()) == 1024
    assert {shape.node: len(shape.cpus) for shape in found.host.nodes} == dict.fromkeys(range(64), 16)
    assert len(found.nodes or ()) == len({zone.node for zone in found.zones or ()}) == 64


def test_reach_draws_the_large_host_at_every_size() -> None:
    lines = large_host.screen(rounds=1)
    assert re.search(r"into the model +\d+ us", lines[1])
    assert [re.match(r"  drawn at (\S+) +[\d.]+ ms$", line)[1] for line in lines[2:]] == ["80x24", "120x40", "200x60"]  # type: ignore[index]


def test_effect_compares_writes_that_begin_a_page_and_leaves_nothing(disk: Path) -> None:
    said: list[str] = []
    lines = effect.run(disk, 1.0, 1, 1 << 20, said.append, pressure=False)
    assert said == ["effect: round 1 of 1, prewarm off", "effect: round 1 of 1, prewarm write"]
    assert [columns(line)[0] for line in lines[3:7]] == [f"new page {part}" for part in ("p50", "p99", "p99.9", "worst")]
    for side in (1, 2):
        figures = [columns(line)[side] for line in lines[3:7]]
        assert 0 < figures[0] <= figures[1] <= figures[2] <= figures[3]
    # about 1 in 18.6 writes of 220 bytes begins a page
    for line in lines[7:9]:
        found = re.search(r": ([\d,]+) writes;", line)
        assert found
        assert 20 < int(found[1].replace(",", "")) < 2000
    assert "still in memory" in lines[8]
    assert os.listdir(disk) == []


def open_file_in(directory: Path, pid: int) -> Path:
    """The process's descriptor of a file below *directory*, once it has one; a starting Python opens and closes others."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.readlink().parent == directory:
                    return path
        time.sleep(0.02)
    raise AssertionError(f"process {pid} has no file below {directory} open")


def test_pressure_fills_the_page_cache_without_the_disk_and_ends_with_its_block(disk: Path) -> None:
    size = 32 << 20
    with pressure.page_cache_pressure(disk, memory_bytes=size // 2):
        reader = next(child for child in psutil.Process().children() if "wlat_tui.loads" in child.cmdline())
        file = open_file_in(disk, reader.pid)
        found = file.stat()
        assert (found.st_size, found.st_blocks) == (size, 0), "sparse: it takes no disk space"
        deadline = time.monotonic() + PATIENCE_S
        while reader.io_counters().read_chars < 2 * size:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert file.stat().st_blocks == 0
        assert os.listdir(disk) == [], "nameless: nothing to clean up"
    assert not reader.is_running()


def test_a_reader_that_dies_is_no_pressure(disk: Path) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.raises(BenchError, match="ended with status -9"))
        stack.enter_context(pressure.page_cache_pressure(disk, memory_bytes=1 << 20))
        reader = next(child for child in psutil.Process().children() if "wlat_tui.loads" in child.cmdline())
        reader.kill()
        deadline = time.monotonic() + PATIENCE_S
        while reader.status() != psutil.STATUS_ZOMBIE:  # waiting here would take its status away
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.parametrize("name", ["fidelity", "screen", "reach", "suspects"])
def test_ctrl_c_ends_everything(disk: Path, name: str) -> None:
    command = [sys.executable, "-m", "wlat_tui", "bench", name, "--dir", str(disk), "--seconds", "600"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith(f"{name}: ")  # each one says at once what it does
        deadline = time.monotonic() + PATIENCE_S
        top = psutil.Process(running.pid)
        while not (children := top.children(recursive=True)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(0.5)  # any moment will do
        children = top.children(recursive=True) or children
        os.killpg(running.pid, signal.SIGINT)  # as the terminal does
        assert running.wait(PATIENCE_S) == 130
        assert "Traceback" not in running.stderr.read()
    assert psutil.wait_procs(children, PATIENCE_S)[1] == []
    assert os.listdir(disk) == []


@pytest.mark.parametrize("name", ["fidelity", "screen", "reach", "effect", "tracer", "suspects"])
def test_memory_in_place_of_a_disk_is_refused(name: str) -> None:
    refused = CliRunner().invoke(cli, ["bench", name, "--dir", "/dev/shm"], prog_name="wlat")
    assert refused.exit_code == 2
    assert "tmpfs" in refused.output


def test_help_says_what_each_one_answers_and_how_long_it_takes() -> None:
    text = CliRunner().invoke(cli, ["bench", "--help"], prog_name="wlat").output
    for name in ("fidelity", "screen", "reach", "effect", "tracer", "suspects"):
        assert re.search(rf"{name} .*\?.* minute", text), text


def test_the_tracer_is_compared_with_a_writer_that_is_not_traced(disk: Path) -> None:
    lines = tracer.run(disk, 0.6, 1, lambda _text: None, warm_up_s=0.2)
    text = "\n".join(lines)
    for words in ("on against off", "call chains alone", "deep against off", "wake p99", "service p50 ratio", "target <= 1.05"):
        assert words in text


def test_a_neighbour_is_timed_without_and_with_the_watcher(disk: Path) -> None:
    said: list[str] = []
    lines = suspects.run(disk, 0.1, 2, said.append)
    assert said == ["suspects: warming up", "suspects: round 1 of 2", "suspects: round 2 of 2"]
    names = [name for name, without, watched in map(columns, lines[2:7]) if 0 < without < 1e6 and 0 < watched < 1e6]
    assert names == ["system call", "open + close", "open + close in proc", "pipe round trip", "fork + exec + exit"]
    assert sum("target" in line for line in lines) == 5
    assert any("opens traced (--watch-opens)" in line for line in lines)
    assert os.listdir(disk) == []
