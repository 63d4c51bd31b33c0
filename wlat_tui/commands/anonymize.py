"""``wlat anonymize``: a recording that can be shown to strangers."""

from __future__ import annotations

from pathlib import Path

import click

from wlat_tui.commands.files import FILE, opened, shown, written
from wlat_tui.sessions.anonymous import FACTS, anonymous


@click.command()
@FILE
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, help="The new file; by default FILE-anonymous.wlat."
)
def anonymize(file: Path, output: Path | None) -> None:
    """Copy a recording without host name, paths and command lines; all figures stay, times of day too."""
    with opened(file) as recording:
        target = output or file.with_name(f"{file.stem}-anonymous.wlat")
        facts = {name: value for name, value in recording.facts.items() if name in FACTS}
        frames = len(recording)
        written(target, facts, anonymous(shown(recording.frames(), frames)))
    click.echo(f"{target}: {frames} frames")
