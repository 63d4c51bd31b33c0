"""The commands on recordings, as they are typed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from tests.sessions.makers import recorded, scripted, sorted_buckets
from wlat_tui.commands.record import Limits, Progress
from wlat_tui.evidence import Disturbance, StallTrace, Thread, TraceEvent
from wlat_tui.frame import Host, Mark, Span
from wlat_tui.histogram import bucket_bounds_ns
from wlat_tui.model.session import Session
from wlat_tui.sessions.anonymous import Scrubber
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording

WHOLE = [sorted_buckets(frame) for frame in scripted(5 * 50)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return recorded(tmp_path / "a.wlat", WHOLE)


def wlat(*arguments: object, status: int = 0) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "wlat_tui", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == status, ran.stderr
    assert "Traceback" not in ran.stderr
    if status:
        assert ran.stderr.count("\n") == 1
        return ran.stderr
    return ran.stdout


def test_a_recording_is_made_headless_until_a_limit_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "new.wlat"
    said = wlat("record", "--demo", "--for", "1s", "-o", path, "--interval", "1ms")
    assert "1.00s are over" in said
    assert "p99" in said
    with Recording(path) as recording:
        assert len(recording) == 5
        assert recording.facts["options"]["interval_ns"] == 1_000_000
        assert recording.facts["ended"]["reason"] == "1.00s are over"
    assert "is not overwritten" in wlat("record", "--demo", "--for", "1s", "-o", path, status=2)
    assert "cannot be made" in wlat("record", "--demo", "-o", tmp_path / "no" / "a.wlat", status=2)


def test_the_progress_of_a_recording_is_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    session, recorder = Session(), Recorder(None, {})
    for frame in WHOLE[:25]:
        session.fold(frame)
    Progress(Limits(10_000_000_000, None), recorder).show(session, WHOLE[24])
    recorder.close("done")
    assert capsys.readouterr().err.startswith("[##########..........] 5.00s of 10.0s, worst ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_recording_in_order(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "a.wlat"
    child = subprocess.Popen(
        [sys.executable, "-m", "wlat_tui", "record", "--demo", "-o", path],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    child.stderr.readline()  # the first progress: it is recording
    child.send_signal(number)
    out, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert f"stopped by {number.name}" in out
    with Recording(path) as recording:
        assert recording.closed
        assert len(recording) >= 1
    assert os.listdir(tmp_path) == ["a.wlat"]


def test_this_host_is_recorded_until_a_write_is_slow(tmp_path: Path) -> None:
    path = tmp_path / "a.wlat"
    said = wlat("record", "--dir", "/var/tmp", "--stop-above", "100ns", "-o", path)
    assert "a write took" in said
    with Recording(path) as recording:
        frames = list(recording.frames())
    assert frames[0].host is not None
    assert frames[-1].writer is not None
    worst = frames[-1].writer.worst[Span.RESPONSE]
    assert worst is not None
    assert worst.response_ns > 100


def test_info_says_what_is_in_it(file: Path) -> None:
    known = json.loads(wlat("info", "--json", file))
    ticks = [frame.writer for frame in WHOLE if frame.writer]
    worst = max(tick.worst[Span.RESPONSE].response_ns for tick in ticks)  # type: ignore[union-attr]
    assert known["worst"]["response"]["ns"] == worst
    assert known["frames"] == 250
    assert known["counts"]["in_page"] == sum(tick.writes[0] for tick in ticks)
    assert known["host"]["hostname"] == "demo"
    said = wlat("info", file)
    for words in ("Linux 6.12.0-demo", "/srv/log on ext4", "zone_reclaim_mode 0 -> 1", "+45.0s"):
        assert words in said
    assert max(map(len, said.splitlines())) < 130


def test_cut_keeps_what_was_known_and_exactly_the_span(file: Path, tmp_path: Path) -> None:
    wlat("cut", file, "--from", "20s", "--to", "30s", "-o", tmp_path / "b.wlat")
    with Recording(tmp_path / "b.wlat") as recording, Recording(file) as whole:
        back = list(recording.frames())
        assert back[0] == whole.known_at(100)
    assert back[1:] == WHOLE[101:150]
    clock = datetime.fromtimestamp(WHOLE[200].wall_ns / 1e9 - 0.2).astimezone()
    wlat("cut", file, "--from", clock.isoformat(), "-o", tmp_path / "c.wlat")
    wlat("cut", file, "--from", clock.strftime("%H:%M:%S"), "-o", tmp_path / "d.wlat")
    for name in ("c.wlat", "d.wlat"):
        with Recording(tmp_path / name) as recording:
            assert list(recording.frames())[1:] == WHOLE[201:], name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "yesterday"), "is not a moment"),
        (("--from", "2h"), "holds no frame"),
        (("--from", "20s", "--to", "10s"), "holds no frame"),
        (("--from", "2031-01-01T00:00:00"), "ended before"),
    ],
)
def test_a_span_that_is_none_is_one_sentence(file: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in wlat("cut", file, *arguments, status=2)


def test_csv_is_a_table_and_json_is_everything(file: Path, tmp_path: Path) -> None:
    rows = list(
        csv.DictReader(wlat("export", file, "--format", "csv", "--table", "node", "--from", "10s", "--to", "12s").splitlines())
    )
    assert len(rows) == 2 * 2  # nodes, seconds
    assert WHOLE[50].nodes is not None
    assert int(rows[0]["free"]) == WHOLE[50].nodes[0].rows["nr_free_pages"]
    wlat("export", file, "--format", "json", "-o", tmp_path / "a.json")
    lines = (tmp_path / "a.json").read_text().splitlines()
    assert len(lines) == 250
    first = json.loads(lines[0])
    assert first["host"]["hostname"] == "demo"
    assert first["writer"]["writes"] == list(WHOLE[0].writer.writes)  # type: ignore[union-attr]
    histogram = first["writer"]["histograms"][0]
    assert all(low <= high and count > 0 for low, high, count in histogram["buckets"])
    assert histogram["buckets"][0][:2] == list(
        bucket_bounds_ns(int.from_bytes(WHOLE[0].writer.histograms[0].buckets[:4], sys.byteorder))  # type: ignore[union-attr]
    )
    assert "is not overwritten" in wlat("export", file, "--format", "json", "-o", tmp_path / "a.json", status=2)


def test_an_anonymous_copy_keeps_the_figures_and_tells_no_names(tmp_path: Path) -> None:
    from dataclasses import replace

    told = replace(
        WHOLE[7],
        notices=("/srv/log/secret is full; demo said so, see /proc/zoneinfo",),
        marks=(Mark(WHOLE[7].end_ns, "note", "note", None, None, "ran /home/ann/load.sh on demo"),),
        disturbances=(
            Disturbance("read", "/proc/slabinfo", Thread(7, "annsprobe", "/home/ann/probe", "ann.service", 6, "ann"), 1, 2),
            Disturbance("cpu", "jbd2/nvme0n1p2-8", Thread(8, "jbd2/nvme0n1p2-8"), 1, 2),
        ),
        traces=(StallTrace(1, 1, 3, (TraceEvent(2, "sched_switch", 0, ("schedule",), {}, {"next_comm": "annsprobe"}),)),),
    )
    path = recorded(tmp_path / "a.wlat", [*WHOLE[:7], told, *WHOLE[8:]])
    wlat("anonymize", path)
    copy = tmp_path / "a-anonymous.wlat"
    with Recording(copy) as recording:
        back = list(recording.frames())
    assert [frame.writer for frame in back] == [frame.writer for frame in WHOLE]
    assert [frame.nodes for frame in back] == [frame.nodes for frame in WHOLE]
    assert back[7].notices == ("(path) is full; host said so, see /proc/zoneinfo",)
    assert back[7].marks[0].text == "ran (path) on host"
    reader, journal = back[7].disturbances
    assert (reader.what, reader.by.command, journal.by.comm) == ("/proc/slabinfo", "", "jbd2")
    assert reader.by.comm.startswith("program-")
    assert back[7].traces[0].events[0].texts["next_comm"] == reader.by.comm
    exported = wlat("export", copy, "--format", "json") + wlat("info", "--json", copy)
    for secret in ("demo", "/srv", "/home", "nvme", "annsprobe", "ann.service"):
        assert secret not in exported.replace(str(copy), ""), secret


def test_a_scrubber_leaves_the_kernels_own_places_and_fractions_alone() -> None:
    scrubber = Scrubber()
    scrubber.learn(Host("web-1", "6.1", 4096, (0,), (), None, None, None, "root"))
    assert scrubber.text("web-1: 3/4 of /proc/sys/vm/swappiness") == "host: 3/4 of /proc/sys/vm/swappiness"
    assert scrubber.text("run 'sudo /opt/x/bin/wlat restore' in ~/x") == "run 'sudo (path) restore' in (path)"


def test_time_goes_on_in_a_recording_of_this_host_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wlat"
    child = subprocess.Popen([sys.executable, "-m", "wlat_tui", "record", "--demo", "-o", path], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        frames = 0
        while frames < 5 and time.monotonic() < deadline:
            time.sleep(0.2)
            if path.exists() and path.stat().st_size:
                known = json.loads(wlat("info", "--json", path))
                frames = known["frames"]
        assert frames >= 5
        assert "ended" not in known["header"]
    finally:
        child.terminate()
        child.wait(timeout=60)


def test_an_impossible_size_is_one_sentence_and_makes_no_file(tmp_path: Path) -> None:
    assert "allow 1,048,576 or more" in wlat("record", "--demo", "--max-size", "1K", "-o", tmp_path / "a.wlat", status=2)
    assert os.listdir(tmp_path) == []


def test_under_nohup_a_hang_up_does_not_end_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.wlat"
    command = ["nohup", sys.executable, "-m", "wlat_tui", "record", "--demo", "--keep", "1h", "-o", path]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    assert child.stderr is not None
    child.stderr.readline()
    child.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 60
    frames = 0
    while frames < 8 and time.monotonic() < deadline:
        time.sleep(0.2)
        if path.exists():
            with Recording(path) as recording:
                frames = len(recording)
    assert child.poll() is None
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=60)
    assert "stopped by SIGTERM" in out
    assert frames >= 8


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.1])
def test_stopped_in_its_first_moments_a_recording_leaves_a_file_that_opens_or_none(tmp_path: Path, moment: float) -> None:
    path = tmp_path / "a.wlat"
    child = subprocess.Popen(
        [sys.executable, "-m", "wlat_tui", "record", "--demo", "-o", path],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(moment)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert "Traceback" not in err
    assert child.returncode in (0, 130)
    assert os.listdir(tmp_path) in ([], ["a.wlat"])
    if path.exists():
        with Recording(path) as recording:
            list(recording.frames())
