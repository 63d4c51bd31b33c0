"""``wlat completion``: print the script that completes wlat's commands and flags."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL; put it where the shell reads it, or eval it.

    For bash: eval "$(wlat completion bash)"
    """
    completer = get_completion_class(shell)
    assert completer is not None
    click.echo(completer(ctx.find_root().command, {}, "wlat", "_WLAT_COMPLETE").source())
