"""``wlat sudoers``: print the lines that let ``wlat --sudo`` start engine, keeper and watcher, and nothing else, as root."""

from __future__ import annotations

import os
import pwd

import click

from wlat_tui.engine_client import engine_command
from wlat_tui.keeper_client import keeper_command, sudoers_line, unsafe_install, wlat_path
from wlat_tui.watch_client import watcher_command


@click.command()
@click.option("--user", metavar="NAME", default=None, help="For this user; by default yourself, or whoever called sudo.")
def sudoers(user: str | None) -> None:
    """Print the sudoers lines that make 'wlat --sudo' work without a password.

    \b
    To install them:  wlat sudoers | sudo tee /etc/sudoers.d/wlat
    """
    name = user or os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    try:
        uid = pwd.getpwnam(name).pw_uid
    except KeyError:
        raise click.UsageError(f"--user {name}: this host knows no such user") from None
    if uid == 0:
        raise click.UsageError("root needs no sudoers line: name an ordinary user with --user NAME")
    if (danger := unsafe_install()) is not None:
        raise click.ClickException(danger)
    click.echo(f"# for {wlat_path()} --sudo: these three commands, with these arguments and no others")
    for command in (engine_command(), keeper_command(), watcher_command()):
        click.echo(sudoers_line(command, name))
