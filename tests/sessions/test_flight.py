"""The flight recorder without a screen: nothing but memory until a write is slow or somebody asks, then a file."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.model.makers import a_frame, a_write, at
from wlat_tui.commands.flight import FlightFiles
from wlat_tui.commands.record import Limits, record, run
from wlat_tui.frame import Frame, Settings
from wlat_tui.sessions.flight import AFTERMATH_NS, FlightWatch
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording
from wlat_tui.sources.scripted import ScriptedSource

MS = 1_000_000
QUICK = Settings(interval_ns=2 * MS)


def slow(i: int) -> Frame:
    return a_frame(i, [a_write(at(i), 9 * MS)])


def test_a_slow_write_is_given_its_aftermath_and_several_in_a_row_one_file() -> None:
    watch = FlightWatch(5 * MS)
    after = AFTERMATH_NS // 200_000_000
    reasons = [watch.due(slow(i) if i in (3, 10) else a_frame(i, [a_write(at(i), MS)])) for i in range(after + 20)]
    assert [i for i, reason in enumerate(reasons) if reason] == [3 + after]
    assert reasons[3 + after] == "a write took 9.00ms"
    assert watch.reason is None
    assert FlightWatch(None).due(slow(0)) is None


@pytest.mark.parametrize("above_ns", [1, None])
def test_a_run_that_ends_in_the_aftermath_writes_its_file_with_the_slow_write_in_it(
    tmp_path: Path, above_ns: int | None
) -> None:
    said: list[str] = []
    recorder = Recorder(None, {}, keep_ns=60_000_000_000)

    async def fly() -> list[Path]:
        flight = FlightFiles(recorder, tmp_path, FlightWatch(above_ns), said.append)
        await run(ScriptedSource(settings=QUICK, realtime=False), recorder, Limits(2_000_000_000, None), (), flight)
        return flight.written

    written = asyncio.run(fly())
    recorder.close("done")
    assert written == sorted(tmp_path.iterdir())
    assert len(written) == len(said) == (0 if above_ns is None else 1)
    if written:
        assert "the last minutes (a write took" in said[0]
        with Recording(written[0]) as recording:
            assert recording.closed
            assert len(list(recording.frames())) == 10


def test_a_signal_writes_the_last_minutes_each_time_to_a_file_of_its_own(tmp_path: Path) -> None:
    recorder = Recorder(None, {}, keep_ns=60_000_000_000)

    async def fly() -> FlightFiles:
        flight = FlightFiles(recorder, tmp_path, FlightWatch(None), lambda _: None)
        flight.listen()
        recorder.take(a_frame(0))
        os.kill(os.getpid(), signal.SIGUSR1)
        while not flight.written:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGUSR1)
        while len(flight.written) < 2:
            await asyncio.sleep(0.01)
        (tmp_path / "none").touch()
        await flight.close()
        return flight

    flight = asyncio.run(fly())
    recorder.close("done")
    assert len(set(flight.written)) == 2
    for path in flight.written:
        with Recording(path) as recording:
            assert len(recording) == 1


def test_a_file_that_cannot_be_written_is_said_and_counted(tmp_path: Path) -> None:
    said: list[str] = []
    recorder = Recorder(None, {})

    async def fly() -> int:
        flight = FlightFiles(recorder, tmp_path / "gone", FlightWatch(1), said.append)
        flight.take(slow(0))
        await flight.close()
        return flight.failed

    assert asyncio.run(fly()) == 1
    recorder.close("done")
    assert "could not be written to" in said[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--flight-above", "5ms"), "--flight-above needs --flight TIME"),
        (("--flight", "0s"), "would keep nothing"),
        (("--flight", "5m", "--keep", "1h"), "leave --keep and --max-size out"),
        (("--flight", "5m", "-o", "/proc/version"), "-o names the directory"),
        (("-o", "-", "--keep", "1h"), "what went through a pipe cannot be rolled up"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(arguments: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(record, ["--demo", *arguments])
    assert result.exit_code == 2
    assert words in result.output
