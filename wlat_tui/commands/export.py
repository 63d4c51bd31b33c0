"""``wlat export``: a recording for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from wlat_tui.commands.files import FILE, binary_output, format_of, numbers, opened, shown, span_options
from wlat_tui.exports import BY_NAME, EXPORTERS, tables
from wlat_tui.exports.job import Job, NotInstalled
from wlat_tui.options import DURATION
from wlat_tui.sessions.schema import TABLES

FORMATS = "; ".join(f"{exporter.name}: {exporter.says}" for exporter in EXPORTERS)


@click.command()
@FILE
@click.option("--format", "form", type=click.Choice(list(BY_NAME)), required=True, help=f"{FORMATS}.")
@click.option(
    "--table", type=click.Choice(tables.NAMES), default="frame", show_default=True, help="Which table, for csv and parquet."
)
@click.option(
    "--every", "every_ns", type=DURATION, default="10s", show_default=True, metavar="TIME", help="How often, for openmetrics."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, help="A new file; by default stdout.")
@span_options
def export(file: Path, form: str, table: str, every_ns: int, output: Path | None, begin: str | None, end: str | None) -> None:
    """Give a recording to other programs."""
    exporter = BY_NAME[form]
    with opened(file) as recording:
        if table in TABLES and not recording.holds(table):
            raise click.UsageError(
                f"{file} is of format {format_of(recording)} and has no table {table}: 'wlat cut {file}' makes a copy with it"
            )
        first, last = numbers(recording, begin, end)
        try:
            with binary_output(output, terminal=not exporter.binary) as out:
                exporter.write(Job(recording, first, last, table, every_ns, shown), out)
        except NotInstalled as error:
            raise click.UsageError(str(error)) from error
