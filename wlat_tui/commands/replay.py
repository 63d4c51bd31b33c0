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
from wlat_tui.sessions.blocks import MAGIC
from wlat_tui.sessions.feed import Feed
from wlat_tui.sessions.moment import parse_moment
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.stream import read_whole
from wlat_tui.sources.replay import ReplaySource


def received(path: Path) -> Feed | None:
    """stdin as a file: all of it (a recording), or from now on (a stream; then the feed). stdin is the terminal afterwards.

    Raises:
        click.UsageError: that cannot be, or nothing comes.
    """
    if sys.stdin.isatty():
        raise click.UsageError("'-' reads a recording from stdin, such as: ssh host wlat record -o - | wlat replay -")
    feed = None
    begun = read_whole(sys.stdin.fileno(), len(MAGIC))
    if begun == MAGIC:
        feed = Feed(os.dup(sys.stdin.fileno()), begun, path)
    else:
        with path.open("xb") as file:
            file.write(begun)
            shutil.copyfileobj(sys.stdin.buffer, file)
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise click.UsageError(f"replaying needs a terminal to read keys from: {error.strerror}") from error
    os.dup2(terminal, sys.stdin.fileno())
    os.close(terminal)
    if feed is not None and not feed.wait():
        raise click.UsageError(feed.problem or "the stream ended before its first frame")
    return feed


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

    Nothing can be changed in it: toggles show what was on. What 'wlat record -o -' writes is shown while it comes.
    """
    from wlat_tui.commands.live import need_terminal
    from wlat_tui.running import run

    with tempfile.TemporaryDirectory(prefix="wlat-") as scratch:
        path, feed = file, None
        if str(file) == "-":
            path = Path(scratch) / "stdin.wlat"
            feed = received(path)
        with opened(path) as recording:
            first = start_number(recording, moment)
            need_terminal("replaying", "'wlat info', 'wlat export'")
            recording.add_digests(_progress(len(recording)))
            source = ReplaySource(recording, speed, stay_open=True, growing=lambda: feed is not None and feed.growing)
            source.go_on_at(first)
            if paused:
                source.pause()
            status = run(source, **options)
            if feed is not None and feed.problem is not None:
                click.echo(feed.problem, err=True)
            return status


def _progress(total: int) -> Any:
    def digested(frames: Iterable[Frame]) -> Iterable[Frame]:
        click.echo("This recording is of an older wlat and is read once through first.", err=True)
        return shown(frames, total)

    return digested
