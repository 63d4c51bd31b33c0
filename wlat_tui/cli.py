"""The command ``wlat``: the only place that prints errors and exits.

Commands are imported when they are called, so that ``wlat --version`` and the live screen do not pay for each other.
"""

from __future__ import annotations

import importlib
import platform
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from wlat_tui import __version__
from wlat_tui.config import ConfigError, config_path, load_config
from wlat_tui.options import record_options, screen_options, source_options, stall_options

COMMANDS = {
    "anonymize": "wlat_tui.commands.anonymize:anonymize",
    "bench": "wlat_tui.commands.bench:bench",
    "compare": "wlat_tui.commands.compare:command",
    "completion": "wlat_tui.commands.completion:completion",
    "cut": "wlat_tui.commands.cut:cut",
    "doctor": "wlat_tui.commands.doctor:doctor",
    "experiment": "wlat_tui.commands.experiment:experiment",
    "export": "wlat_tui.commands.export:export",
    "info": "wlat_tui.commands.info:info",
    "record": "wlat_tui.commands.record:record",
    "replay": "wlat_tui.commands.replay:replay",
    "repair": "wlat_tui.commands.repair:repair",
    "report": "wlat_tui.commands.report:report",
    "restore": "wlat_tui.commands.restore:restore",
    "sudoers": "wlat_tui.commands.sudoers:sudoers",
    "topology": "wlat_tui.commands.topology:topology",
}


class Commands(click.Group):
    """The group whose members are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


def show_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    """Version of wlat, the kernel and Python: what a bug report needs."""
    if value and not ctx.resilient_parsing:
        click.echo(f"wlat {__version__}, Linux {platform.release()}, Python {platform.python_version()}")
        ctx.exit()


def apply_config(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    """Read the configuration file into the defaults. Eager, so that it comes before the other options."""
    if ctx.resilient_parsing:
        return
    path = config_path() if value is None else Path(value)
    if value is not None and not path.exists():
        raise click.BadParameter(f"{path} does not exist", ctx, param)
    flags = {long.removeprefix("--"): p for p in ctx.command.params for long in p.opts if long.startswith("--")}
    try:
        defaults = load_config(path, frozenset(flags) - {"config", "version", "help"})
    except ConfigError as error:
        raise click.UsageError(str(error), ctx) from error
    shared = {str(flags[name].name): text for name, text in defaults.items()}
    # click hands a subcommand what stands under its name: recording follows the same file as the live screen
    ctx.default_map = {**shared, "record": shared, "experiment": shared}


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_version,
    help="Print the versions of wlat, the kernel and Python.",
)
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=apply_config,
    help="Defaults for these flags (TOML); by default ~/.config/wlat/config.toml.",
)
@source_options
@stall_options
@screen_options
@record_options
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> int | None:
    """Watch the worst write() of this host live, next to how far each NUMA node is from its watermarks.

    Without a command, wlat opens the live screen. It writes small records to a private, already unlinked file, shows what each
    write() costs, and lets you switch mitigations on and off; everything it changes is put back when it ends, however it ends.
    """
    if ctx.invoked_subcommand is not None:
        return None
    from wlat_tui.commands.live import live

    return live(ctx, options)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; every error becomes one sentence on stderr and a non-zero exit."""
    try:
        status = cli.main(args=arguments, prog_name="wlat", standalone_mode=False)
    except click.Abort:
        click.echo("wlat: interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        click.echo(f"wlat: {' '.join(error.format_message().split())}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # the reader of our output (head, less) left: not an error, but Python would complain again at exit
        sys.stderr.close()
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)
