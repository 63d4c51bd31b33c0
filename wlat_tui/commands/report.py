"""``wlat report``: a recording for people who will never open a terminal, or for those who never leave it."""

from __future__ import annotations

from pathlib import Path

import click

from wlat_tui.commands.files import FILE, opened, output_file, refuse_existing, shown
from wlat_tui.report.digest import Digest
from wlat_tui.report.page import NoLibrary, library, report_page
from wlat_tui.report.text import report_lines
from wlat_tui.sessions.recording import Recording


def digest_of(recording: Recording) -> Digest:
    """Read a whole recording, with a progress bar. Raises click.UsageError when it holds no frame."""
    span_ns = recording.span_ns
    if span_ns is None:
        raise click.UsageError(f"{recording.path} holds no frame: there is nothing to report")
    digest = Digest(*span_ns, recording.facts, recording.path.name)
    digest.rolled_up = recording.start
    for frame in shown(recording.frames(), len(recording) - recording.start):
        digest.take(frame)
    digest.end()
    return digest


@click.command()
@FILE
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, help="The page, a new file; by default FILE.html."
)
@click.option("--text", is_flag=True, help="Print it here instead, with charts in the terminal.")
def report(file: Path, output: Path | None, text: bool) -> None:
    """Tell what a recording shows: one HTML page that needs no network, or text."""
    try:
        if not text:
            library()
    except NoLibrary as error:
        raise click.UsageError(str(error)) from error
    with opened(file) as recording:
        if text:
            digest = digest_of(recording)
            with output_file(output) as out:
                out.writelines(f"{line}\n" for line in report_lines(digest))
            return
        target = output or file.with_suffix(".html")
        refuse_existing(target)
        digest = digest_of(recording)
    with output_file(target) as out:
        out.writelines(report_page(digest))
    click.echo(f"{target}: {target.stat().st_size / 1e6:.1f} MB, one file for any browser")
