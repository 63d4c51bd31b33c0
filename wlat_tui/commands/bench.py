"""``wlat bench``: the claims about wlat's own cost and effect, measured again on this host."""

from __future__ import annotations

from pathlib import Path

import click

FIRST = click.option(
    "--dir", "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", help="Write here."
)
SECONDS = click.option("--seconds", type=click.FloatRange(1, 3600), default=10.0, show_default=True, help="Length of each run.")
ROUNDS = click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True, help="Interleaved rounds.")


@click.group()
def bench() -> None:
    """Measure wlat itself: medians and ratios of interleaved runs. Uses nothing but this host."""


def show(lines: list[str]) -> None:
    click.echo("\n".join(lines))


@bench.command()
@FIRST
@SECONDS
@ROUNDS
def fidelity(directory: Path, seconds: float, rounds: int) -> None:
    """The writer under the full screen against a bare C loop."""
    from wlat_tui.bench.fidelity import run

    show(run(directory.resolve(), seconds, rounds))


@bench.command()
@FIRST
@SECONDS
@ROUNDS
def screen(directory: Path, seconds: float, rounds: int) -> None:
    """CPU, bytes, memory, start and end of the live screen at 120x40."""
    from wlat_tui.bench.screen import run

    show(run(directory.resolve(), seconds, rounds))


@bench.command()
@FIRST
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Length of the 10 us run.")
def reach(directory: Path, seconds: float) -> None:
    """100,000 writes a second, and the zoneinfo of a 64-node host."""
    from wlat_tui.bench.reach import run

    show(run(directory.resolve(), seconds))


@bench.command()
@FIRST
@SECONDS
@ROUNDS
def effect(directory: Path, seconds: float, rounds: int) -> None:
    """Prewarming off and on under page-cache pressure. Fills the page cache of this host!"""
    from wlat_tui.bench.effect import run

    show(run(directory.resolve(), seconds, rounds))
