"""What the commands on recordings have in common: opening them, spans of them, where the result goes."""

from __future__ import annotations

import io
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar

import click

from wlat_tui.frame import Frame
from wlat_tui.sessions.copy import write_frames
from wlat_tui.sessions.moment import parse_moment
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.schema import SessionError
from wlat_tui.sessions.store import BLOCK_FRAMES, Store

_Command = TypeVar("_Command", bound=Callable[..., Any])
_Item = TypeVar("_Item")

FILE = click.argument("file", type=click.Path(path_type=Path))
_FROM = click.option(
    "--from", "begin", metavar="TIME", default=None, help="From here: 90s after the start, 03:00:05, or a date."
)
_TO = click.option("--to", "end", metavar="TIME", default=None, help="Up to here.")


def span_options(command: _Command) -> _Command:
    """``--from`` and ``--to``, for `numbers`."""
    return _FROM(_TO(command))


@contextmanager
def opened(path: Path) -> Iterator[Recording]:
    """A recording; what is wrong with it becomes one sentence, whenever it is noticed. Its notices go to stderr."""
    try:
        with Recording(path) as recording:
            for notice in recording.notices:
                click.echo(notice, err=True)
            yield recording
    except SessionError as error:
        raise click.UsageError(str(error)) from error


def format_of(recording: Recording) -> str:
    """The version of the file, as people write it."""
    return f"{recording.version // 1000}.{recording.version % 1000}"


def numbers(recording: Recording, begin: str | None, end: str | None) -> tuple[int, int]:
    """The frames of a span, from the first to before the second. Raises click.UsageError when there are none."""
    try:
        first = recording.start if begin is None else recording.number_at(parse_moment(begin, recording))
        last = len(recording) if end is None else min(len(recording), recording.number_at(parse_moment(end, recording) - 1) + 1)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if last <= first:
        raise click.UsageError(f"{recording.path} holds no frame from {begin or 'its start'} to {end or 'its end'}")
    return first, last


def shown(frames: Iterable[_Item], total: int) -> Iterator[_Item]:
    """The same frames (or rows), with a progress bar on a terminal's stderr while they are taken."""
    with click.progressbar(
        frames, length=total, file=sys.stderr, hidden=not sys.stderr.isatty(), update_min_steps=BLOCK_FRAMES
    ) as bar:
        yield from bar


def written(target: Path, facts: Mapping[str, object], frames: Iterable[Frame]) -> None:
    """A new recording of these frames; removed again when they cannot all be written.

    Raises:
        click.ClickException: it cannot be made or written (one sentence).
    """
    try:
        store = Store(target, facts, durable=False)
    except SessionError as error:
        raise click.UsageError(str(error)) from error
    try:
        write_frames(store, frames)
    except BaseException as error:
        store.close()
        for side in ("", "-wal", "-shm"):
            Path(f"{target}{side}").unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise click.ClickException(f"{target} cannot be written: {error}") from error
        raise
    if (kept := store.close()) is not None:
        raise click.ClickException(kept)


def refuse_existing(path: Path) -> None:
    """Before hours of work: raises click.UsageError where there is such a file already."""
    if path.exists():
        raise click.UsageError(f"{path} exists and is not overwritten: choose another name with -o")


@contextmanager
def binary_output(path: Path | None, *, terminal: bool = True) -> Iterator[BinaryIO]:
    """A new file, removed again when it cannot be finished; or stdout.

    Args:
        path: None: stdout.
        terminal: whether what comes can be shown on a terminal.

    Raises:
        click.UsageError: it exists, or is binary and would go to a terminal.
        click.ClickException: it cannot be written.
    """
    if path is None:
        if not terminal and sys.stdout.isatty():
            raise click.UsageError("this format is not for a terminal: name a file with -o, or redirect it")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with path.open("xb") as file:
            try:
                yield file
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError as error:
        raise click.UsageError(f"{path} exists and is not overwritten: choose another name") from error
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def output_file(path: Path | None) -> Iterator[TextIO]:
    """The same for text, UTF-8 in a file."""
    if path is None:
        yield sys.stdout
        return
    with binary_output(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        yield text
        text.detach()
