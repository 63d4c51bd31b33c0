"""``wlat cut``: a span of a recording as a recording of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from wlat_tui.commands.files import FILE, numbers, opened, shown, span_options, written
from wlat_tui.frame import Frame
from wlat_tui.sessions.recording import Recording


def span(recording: Recording, first: int, end: int) -> Iterator[Frame]:
    """Frames of a span; the first brings along what had been read before it (host, settings, zones)."""
    yield recording.known_at(first)
    yield from recording.frames(first + 1, end)


@click.command()
@FILE
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, help="The new file; by default FILE-cut.wlat.")
@span_options
def cut(file: Path, output: Path | None, begin: str | None, end: str | None) -> None:
    """Copy a span of a recording into a new one."""
    with opened(file) as recording:
        first, last = numbers(recording, begin, end)
        target = output or file.with_name(f"{file.stem}-cut.wlat")
        facts = {**recording.facts, "cut": {"from": begin, "to": end}}
        written(target, facts, shown(span(recording, first, last), last - first))
    click.echo(f"{target}: {last - first} frames")
