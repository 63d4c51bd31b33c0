"""``wlat repair``: what can be saved of a damaged recording, into a new one."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import click

from wlat_tui.sessions.copy import write_frames
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.salvage import Found, salvage
from wlat_tui.sessions.schema import SessionError
from wlat_tui.sessions.store import Store


def known_facts(path: Path) -> dict[str, Any]:
    """The header of the damaged file, when that much can be read."""
    try:
        with Recording(path) as recording:
            return recording.facts
    except SessionError:
        return {}


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, help="The new file; by default FILE-repaired.wlat."
)
def repair(file: Path, output: Path | None) -> None:
    """Save what can be saved of a damaged recording into a new file; FILE stays as it is."""
    target = output or file.with_name(f"{file.stem}-repaired.wlat")
    found = Found()
    try:
        store = Store(target, {**known_facts(file), "repaired": {"from": file.name}}, durable=False)
        try:
            write_frames(store, salvage(file, found))
        finally:
            kept = store.close(
                {"salvaged": {"frames": found.frames, "missing": found.missing, "damaged_blocks": found.damaged}}
            )
            if not found.frames:
                target.unlink()
    except SessionError as error:
        raise click.UsageError(str(error)) from error
    except (OSError, sqlite3.Error) as error:
        raise click.ClickException(f"{file} cannot be repaired into {target}: {error}") from error
    if kept is not None:
        raise click.ClickException(kept)
    if not found.frames:
        raise click.ClickException(f"nothing could be saved: {file} holds no whole block of frames")
    lost = f", {found.missing} are missing" if found.missing else ""
    click.echo(f"{target}: {found.frames} frames saved{lost}; {found.damaged} damaged blocks")
