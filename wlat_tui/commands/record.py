"""``wlat record``: measure without a screen, into a file."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from wlat_tui import __version__
from wlat_tui.commands.flight import FlightFiles
from wlat_tui.commands.live import choose_source, read_settings
from wlat_tui.commands.stopping import until_stopped
from wlat_tui.followers import Follower, first_reason
from wlat_tui.followers.stop_after import caught
from wlat_tui.frame import Frame, Span
from wlat_tui.model.session import Session
from wlat_tui.options import DURATION, SIZE, followers_for, source_options, stall_options
from wlat_tui.sessions.flight import FlightWatch
from wlat_tui.sessions.names import default_path
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.schema import SessionError
from wlat_tui.sources import Source
from wlat_tui.units import format_bytes, format_ns

PROGRESS_S = {True: 0.5, False: 60.0}
"""How often to say something, to a terminal and to a log file."""
BAR = 20
"""Characters of the progress bar."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When to stop. None: not for that reason."""

    time_ns: int | None
    above_ns: int | None

    def reached(self, session: Session) -> str | None:
        """Why it is time to stop, or None."""
        worst = session.worst_ever(Span.RESPONSE)
        if self.time_ns is not None and session.elapsed_ns >= self.time_ns:
            return f"{format_ns(self.time_ns)} are over"
        if self.above_ns is not None and worst is not None and worst.response_ns > self.above_ns:
            return f"a write took {format_ns(worst.response_ns)}"
        return None


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of the run and where, as the command line asks for it."""

    output: Path | None
    exact: bool
    keep_ns: int | None
    most_bytes: int | None
    flight_ns: int | None
    flight_above_ns: int | None

    @property
    def piped(self) -> bool:
        return str(self.output) == "-"

    def check(self) -> None:
        """Raises click.UsageError for what does not go together."""
        if self.piped and sys.stdout.isatty():
            raise click.UsageError("a recording is not for a terminal: name a file with -o, or pipe it to 'wlat replay -'")
        if self.flight_ns is None:
            if self.flight_above_ns is not None:
                raise click.UsageError("--flight-above needs --flight TIME: how much is kept in memory and written out")
            if self.piped and (self.keep_ns or self.most_bytes):
                raise click.UsageError("--keep and --max-size are for files: what went through a pipe cannot be rolled up")
            return
        if self.flight_ns <= 0:
            raise click.UsageError("--flight 0s would keep nothing: name a time such as 10m")
        if self.keep_ns is not None or self.most_bytes is not None:
            raise click.UsageError("--flight says itself how much is kept: leave --keep and --max-size out")
        if self.output is not None and not self.output.is_dir():
            raise click.UsageError(f"with --flight, -o names the directory for the files, and {self.output} is none")

    def recorder(self, options: Mapping[str, Any], source: Source) -> Recorder:
        """Raises click.UsageError when the file cannot be made."""
        header = facts(options, source)
        if self.flight_ns is not None:
            _tell(f"keeping the last {format_ns(self.flight_ns)} in memory; 'kill -USR1 {os.getpid()}' writes them to a file")
            return Recorder(None, header, exact=self.exact, keep_ns=self.flight_ns)
        if self.piped:
            return Recorder(None, header, exact=self.exact, pipe=sys.stdout.fileno())
        path = self.output or default_path()
        try:
            return Recorder(path, header, exact=self.exact, keep_ns=self.keep_ns, most_bytes=self.most_bytes)
        except (SessionError, OSError) as error:
            text = str(error) if isinstance(error, SessionError) else f"{path} cannot be made: {error.strerror}"
            raise click.UsageError(text) from error


@dataclass(slots=True)
class Progress:
    """One line on stderr, rewritten on a terminal and repeated once a minute in a log."""

    limits: Limits
    recorder: Recorder
    _next: float = 0.0
    _said: str | None = None
    _terminal: bool = field(default_factory=sys.stderr.isatty)

    def show(self, session: Session, frame: Frame) -> None:
        problem = self.recorder.problem
        for sentence in (*frame.notices, *([problem] if problem and problem != self._said else [])):
            click.echo(f"\r\033[K{sentence}" if self._terminal else sentence, err=True)
        self._said = problem
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PROGRESS_S[self._terminal]
        line = self._line(session)
        # no newline: the next line takes its place; cut so that it never wraps
        click.echo(f"\r\033[K{line[: _columns() - 1]}" if self._terminal else line, err=True, nl=not self._terminal)

    def _line(self, session: Session) -> str:
        done = format_ns(session.elapsed_ns)
        if self.limits.time_ns:
            full = min(BAR, BAR * session.elapsed_ns // self.limits.time_ns)
            done = f"[{'#' * full}{'.' * (BAR - full)}] {done} of {format_ns(self.limits.time_ns)}"
        worst = session.worst_ever(Span.RESPONSE)
        state = self.recorder.problem or session.writer_missing
        figures = f"worst {format_ns(None if worst is None else worst.response_ns)}, {session.stall_count} stalls"
        return f"{done}, {figures}" + (f"; {state}" if state else "")

    def end(self) -> None:
        if self._terminal:
            click.echo("\r\033[K", err=True, nl=False)


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80


async def run(
    source: Source,
    recorder: Recorder,
    limits: Limits,
    followers: tuple[Follower, ...] = (),
    flight: FlightFiles | None = None,
) -> tuple[Session, str]:
    """Record until a limit, a signal or the source's end; the source is closed then. Returns the session and why it ended."""
    session = Session()
    progress = Progress(limits, recorder)
    if flight is not None:
        flight.listen()

    async def frames() -> AsyncIterator[Frame]:
        async for frame in source.frames():
            recorder.take(frame)
            if recorder.abandoned:
                return
            if flight is not None:
                flight.take(frame)
            yield frame

    async def leave() -> None:
        progress.end()
        closing = [source.close(), *(follower.close() for follower in followers)]
        await asyncio.gather(*closing, *([flight.close()] if flight is not None else []))

    why = await until_stopped(_follow(frames(), limits, session, progress, followers), leave)
    return session, "nobody reads it any more" if recorder.abandoned else why


async def _follow(
    frames: AsyncIterator[Frame], limits: Limits, session: Session, progress: Progress, followers: tuple[Follower, ...]
) -> str:
    async for frame in frames:
        session.fold(frame)
        progress.show(session, frame)
        followed = first_reason(followers, session)
        if (why := limits.reached(session) or followed) is not None:
            return why
    return "the source ended"


def facts(options: Mapping[str, Any], source: Source) -> dict[str, object]:
    """What the file says about how it was made."""
    given = {name: value for name, value in options.items() if isinstance(value, str | int | float | bool | None)}
    return {
        "wlat": __version__,
        "python": platform.python_version(),
        "source": source.description,
        "started": {"wall_ns": time.time_ns(), "monotonic_ns": time.monotonic_ns()},
        "options": given,
    }


def summary(session: Session, recorder: Recorder, why: str, flight: FlightFiles | None = None) -> list[str]:
    """What was recorded, in a few lines."""
    place = recorder.path or ("stdout" if flight is None else "flight recorder")
    lines = [f"{place}: {format_ns(session.elapsed_ns)}, {recorder.frames} frames; {why}"]
    for span in (Span.SERVICE, Span.RESPONSE):
        if (figures := session.whole(span)) is not None:
            worst = session.worst_ever(span)
            parts = [
                f"p50 {format_ns(figures.p50_ns)}",
                f"p99 {format_ns(figures.p99_ns)}",
                f"p99.9 {format_ns(figures.p999_ns)}",
            ]
            most_ns = None if worst is None else worst.service_ns if span is Span.SERVICE else worst.response_ns
            lines.append(f"  {span.name.lower():<9}{'  '.join(parts)}  worst {format_ns(most_ns)}  ({figures.count:,} writes)")
    losses = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in session.losses.items() if count)
    lost = f"; lost {losses}" if losses else ""
    stalls = caught(session)
    lines += [f"  {stalls[0]}{lost}", *(f"  {line}" for line in stalls[1:])]
    files = [recorder.path] if recorder.path is not None else flight.written if flight is not None else []
    if flight is not None and not files:
        lines.append("  nothing was written to a file: no write was slow enough, and nobody asked")
    return [*lines, *(f"  {format_bytes(path.stat().st_size)} in {path}" for path in files)]


def _tell(text: str) -> None:
    click.echo(f"\r\033[K{text}" if sys.stderr.isatty() else text, err=True)


@click.command()
@click.option("--for", "time_ns", type=DURATION, default=None, metavar="TIME", help="Stop after this time, such as 10m.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=None,
    help="The file, by default named by host and time; '-': a pipe; with --flight, the directory for the files.",
)
@click.option(
    "--stop-above", "above_ns", type=DURATION, default=None, metavar="TIME", help="Stop after a write slower than this."
)
@click.option(
    "--keep",
    "keep_ns",
    type=DURATION,
    default=None,
    metavar="TIME",
    help="Keep single frames so long; of older ones only 12 s summaries, stalls and marks.",
)
@click.option(
    "--max-size",
    "most_bytes",
    type=SIZE,
    default=None,
    help="Roll the oldest frames up like that when the file holds more than this.",
)
@click.option(
    "--exact",
    is_flag=True,
    help="Keep every histogram as it came, in three times the room; by default they are exact around stalls and in the "
    "slowest 1 %, else within 1.6 % (up to 12.5 % on a host so busy that the file would grow by more than 10 MB an hour).",
)
@click.option(
    "--flight",
    "flight_ns",
    type=DURATION,
    default=None,
    metavar="TIME",
    help="Keep the last TIME in memory only; write it to a file after a slow write (--flight-above) and on SIGUSR1.",
)
@click.option(
    "--flight-above", "flight_above_ns", type=DURATION, default=None, metavar="TIME", help="A write slower than this is slow."
)
@stall_options
@source_options
def record(**options: Any) -> None:
    """Measure without a screen, into a file; '-o -' into a pipe, for 'wlat replay -' on another host.

    Until the time is over, a stop condition is met, or Ctrl-C. The file is never an existing one. It runs under nohup, and as a
    systemd service, with a new file from each start (/etc/systemd/system/wlat.service):

    \b
      [Service]
      Type=exec
      StateDirectory=wlat
      WorkingDirectory=/var/lib/wlat
      ExecStart=/usr/local/bin/wlat record --dir /srv/log --keep 48h
      Restart=on-failure
      [Install]
      WantedBy=multi-user.target
    """
    kept = Kept(*(options.pop(name) for name in ("output", "exact", "keep_ns", "most_bytes", "flight_ns", "flight_above_ns")))
    kept.check()
    limits = Limits(options.pop("time_ns"), options.pop("above_ns"))
    followers = followers_for(options, _tell)
    source = choose_source(options, read_settings(options))
    recorder, flight = kept.recorder(options, source), None
    if kept.flight_ns is not None:
        flight = FlightFiles(recorder, kept.output or Path(), FlightWatch(kept.flight_above_ns), _tell)
    why = "wlat failed"
    try:
        session, why = asyncio.run(run(source, recorder, limits, followers, flight))
    finally:
        said = recorder.close(why)
    for line in summary(session, recorder, why, flight):
        click.echo(line, err=kept.piped)
    if recorder.lost:
        click.echo(f"{recorder.lost} frames could not be recorded", err=True)
    for sentence in (said, source.farewell):
        if sentence is not None:
            raise click.ClickException(sentence)
    if flight is not None and flight.failed:
        raise click.ClickException(f"{flight.failed} of {flight.failed + len(flight.written)} files could not be written")
