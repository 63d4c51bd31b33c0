"""Runs the live screen from its first frame to its exit status."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import click

from wlat_tui.app import WlatApp
from wlat_tui.cast import Cast
from wlat_tui.followers import Follower
from wlat_tui.heap import give_back_freed_memory, keep_what_is_there
from wlat_tui.keys.record import Keeping
from wlat_tui.model.session import Session
from wlat_tui.sources import Source

STARTED_S = 5.0
"""By then everything is loaded that every screen needs."""


def run(
    source: Source,
    *,
    low_bandwidth: bool | None = None,
    ascii_only: bool | None = None,
    theme: str | None = None,
    refresh_hz: float = 4.0,
    mouse: bool | None = None,
    cast_path: Path | None = None,
    keeping: Keeping | None = None,
    followers: Callable[[Callable[[str], None]], tuple[Follower, ...]] = lambda _tell: (),
    ended: Callable[[Session, str], None] = lambda _session, _reason: None,
) -> int:
    """Show the live screen until the user leaves; return the exit status (128 + n after signal n).

    ``followers`` makes those who follow the run, given what tells the user of their failures; ``ended`` is called after the
    screen is gone when one of them ended it, with what was seen and the reason.

    ``mouse=None``: on, except over SSH, where re-attached terminals send half a mouse report that crashes Textual (issue 6668).
    Raises click.UsageError for an unknown theme, SessionError when what is to be recorded cannot be.
    """
    give_back_freed_memory()
    app = WlatApp(source, low_bandwidth=low_bandwidth, ascii=ascii_only, refresh_hz=refresh_hz, keeping=keeping)
    app.followers = followers(lambda text: app.notify(text, severity="warning", timeout=10, markup=False))
    if cast_path is not None:
        try:
            app.cast = Cast(cast_path, f"wlat: {source.description}")
        except FileExistsError as error:
            raise click.UsageError(f"{cast_path} exists and is not overwritten: choose another name") from error
        except OSError as error:
            raise click.UsageError(f"{cast_path} cannot be made: {error.strerror}") from error
    if theme is not None:
        if theme not in app.available_themes:
            raise click.UsageError(
                f"--theme {theme}: there is no such theme; choose one of {', '.join(sorted(app.available_themes))}"
            )
        if not app.no_color:
            app.theme = theme
    with_mouse = "SSH_CONNECTION" not in os.environ if mouse is None else mouse

    async def main() -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, app.leave, 128 + number)
        loop.call_later(STARTED_S, keep_what_is_there)
        try:
            status = await app.run_async(mouse=with_mouse)
        finally:
            await asyncio.gather(source.close(), app.stop_keeping(), *(follower.close() for follower in app.followers))
        return (app.return_code or 0) if status is None else status

    status = asyncio.run(main())
    if app.cast is not None and (said := app.cast.close()) is not None:
        click.echo(said, err=True)
    if app.ended_by is not None:
        ended(app.now, app.ended_by)
    return status
