"""``wlat restore``: put back by hand what a wlat that was killed left changed."""

from __future__ import annotations

import os
from pathlib import Path

import click

from wlat_tui.holding import Holding
from wlat_tui.keeper_client import wlat_path
from wlat_tui.ledger import LEDGER_DIRECTORY

NOTHING = "nothing to put back: no kernel setting is changed by wlat"


def put_back(root: Path, directory: Path) -> list[str]:
    """Restore everything the ledger names. Returns what was done and what was left alone, one sentence each.

    Raises:
        click.ClickException: something could not be put back, or must not be touched now.
    """
    if not os.path.lexists(directory):
        return [NOTHING]
    holding = Holding(root, directory)
    try:
        if (why := holding.acquire()) is not None:
            holder = "; leave that one first, it puts everything back itself" if "another wlat" in why.reason else ""
            fix = f" (then: {why.fix})" if why.fix else ""
            raise click.ClickException(f"{why.reason}{holder}{fix}")
        done = [*holding.notes, *(mark.text for mark in holding.marks)]
        if holding.held:
            outcome = holding.restore_all()
            if not outcome.ok:
                raise click.ClickException("; ".join([*done, outcome.message]))
            done.append(outcome.message)
    finally:
        holding.close()
    return done or [NOTHING]


@click.command()
def restore() -> None:
    """Put back every kernel setting that a killed wlat left changed.

    Normally there is nothing to do: wlat puts everything back when it ends, however it ends, and at its next start after
    that. Settings that something else has changed since are left alone.
    """
    if os.geteuid() != 0:
        raise click.ClickException(f"only root may change kernel settings: sudo {wlat_path()} restore")
    for line in put_back(Path("/"), LEDGER_DIRECTORY):
        click.echo(line)
