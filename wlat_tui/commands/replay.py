"""``wlat replay``: a recording in the live screen."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from wlat_tui.commands.files import FILE, opened, shown
from wlat_tui.frame import Frame
from wlat_tui.options import screen_options
from wlat_tui.sessions.moment import parse_moment
from wlat_tui.sessions.recording import Recording
from wlat_tui.sources.replay import ReplaySource


def spooled(directory: Path) -> Path:
    """stdin as a file; stdin is the terminal afterwards. Raises click.UsageError when that cannot be."""
    if sys.stdin.isatty():
        raise click.UsageError("'-' reads a recording from stdin, such as: ssh host cat a.wlat | wlat replay -")
    path = directory / "stdin.wlat"
    with path.open("xb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise click.UsageError(f"replaying needs a terminal to read keys from: {error.strerror}") from error
    os.dup2(terminal, sys.stdin.fileno())
    os.close(terminal)
    return path


def start_number(recording: Recording, moment: str | None) -> int:
    """The frame to begin with. Raises click.UsageError when there is none."""
    if not len(recording):
        raise click.UsageError(f"{recording.path} holds no frame")
    if moment is None:
        return 0
    try:
        number = recording.number_at(parse_moment(moment, recording))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if number >= len(recording):
        raise click.UsageError(f"the recording ended before {moment}")
    return number


@click.command()
@FILE
@click.option("--at", "moment", metavar="TIME", default=None, help="Begin here: 90s after the start, 03:00:05, or a date.")
@click.option("--speed", type=click.FloatRange(0.25, 60), default=1.0, show_default=True, help="Times real time.")
@click.option("--paused", is_flag=True, help="Begin paused.")
@screen_options
def replay(file: Path, moment: str | None, speed: float, paused: bool, **options: Any) -> int:
    """Show a recording in the live screen, with a transport bar; '-' reads one from stdin.

    Nothing can be changed in it: toggles show what was on.
    """
    from wlat_tui.commands.live import need_terminal
    from wlat_tui.running import run

    with tempfile.TemporaryDirectory(prefix="wlat-") as scratch:
        path = spooled(Path(scratch)) if str(file) == "-" else file
        with opened(path) as recording:
            first = start_number(recording, moment)
            need_terminal("replaying", "'wlat info', 'wlat export'")
            recording.add_digests(_progress(len(recording)))
            source = ReplaySource(recording, speed, stay_open=True)
            source.go_on_at(first)
            if paused:
                source.pause()
            return run(source, **options)


def _progress(total: int) -> Any:
    def digested(frames: Iterable[Frame]) -> Iterable[Frame]:
        click.echo("This recording is of an older wlat and is read once through first.", err=True)
        return shown(frames, total)

    return digested
