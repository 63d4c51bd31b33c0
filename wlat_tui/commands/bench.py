"""``wlat bench``: the claims about wlat's own cost and effect, measured again on this host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from wlat_tui.commands.live import check_directory
from wlat_tui.engine_client import EngineError


def _place(_ctx: click.Context, _param: click.Parameter, value: str) -> Path:
    return check_directory(value)


PLACE = click.option(
    "--dir",
    "directory",
    metavar="DIR",
    default=".",
    show_default="current",
    callback=_place,
    help="Write on the filesystem of this directory; nothing existing is touched and nothing is left.",
)
SECONDS = click.option("--seconds", type=click.FloatRange(1, 3600), default=10.0, show_default=True, help="Length of each run.")
ROUNDS = click.option(
    "--rounds", type=click.IntRange(1, 100), default=5, show_default=True, help="How often the sides take turns."
)


@click.group()
def bench() -> None:
    """Measure wlat itself on this host, and print medians, ratios and whether its targets are met.

    \b
    fidelity  does the screen disturb the writer?    about 4 minutes
    screen    what does the screen cost?             about 4 minutes
    reach     how fast, how large a host?            about 1 minute
    effect    does prewarming help under pressure?   about 4 minutes; fills the page cache!
    tracer    what does asking the kernel cost?      about 4 minutes
    suspects  does the watcher cost others?       about 3 minutes
    sessions  how large, how quick to open?          about 5 minutes

    Run them on a quiet host. Figures go to stdout, progress to stderr; Ctrl-C ends everything and leaves nothing.
    """


def measure(run: Callable[[Callable[[str], None]], list[str]]) -> None:
    """Run one benchmark and print its lines. What it could not measure becomes one sentence."""
    from wlat_tui.bench.terminal import BenchError

    try:
        lines = run(lambda text: click.echo(text, err=True))
    except (BenchError, EngineError) as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(lines))


@bench.command()
@PLACE
@SECONDS
@ROUNDS
def fidelity(directory: Path, seconds: float, rounds: int) -> None:
    """The writer under the full screen, against a bare C loop.

    The loop does nothing but sleep, clock, write, clock and count, on the same kind of file with the same schedule. The other
    sides are wlat without the drawing, and the loop once more: its ratio to itself is the host's noise. The sides take turns;
    the ratio of each pair is what counts, because on a busy host all are slow together.
    """
    from wlat_tui.bench.fidelity import run

    measure(lambda say: run(directory, seconds, rounds, say))


@bench.command()
@PLACE
@SECONDS
@ROUNDS
def screen(directory: Path, seconds: float, rounds: int) -> None:
    """CPU, bytes, memory, start and end of the live screen at 120x40.

    Runs the real wlat on a terminal of its own and measures it from outside, beside the bare loop's CPU.
    """
    from wlat_tui.bench.screen import run

    measure(lambda say: run(directory, seconds, rounds, say))


@bench.command()
@PLACE
@click.option("--seconds", type=click.FloatRange(1, 3600), default=60.0, show_default=True, help="Length of the 10 us run.")
def reach(directory: Path, seconds: float) -> None:
    """100,000 writes a second under the screen, and the files of a 64-node host.

    The large host is made up: a zoneinfo of 64 nodes and 1,024 CPUs is parsed, node vmstat files are read.
    """
    from wlat_tui.bench.reach import run

    measure(lambda say: run(directory, seconds, say))


@bench.command()
@PLACE
@SECONDS
@ROUNDS
@click.option(
    "--prewarm-distance",
    "distance_bytes",
    type=click.IntRange(1, 256),
    metavar="MIB",
    default=4,
    show_default=True,
    callback=lambda _ctx, _param, mib: mib << 20,
    help="How far ahead pages are prepared. More than the host keeps in memory that long makes prewarming harmful.",
)
def effect(directory: Path, seconds: float, rounds: int, distance_bytes: int) -> None:
    """Prewarming off and on under page-cache pressure. Evicts what this host has cached!

    A second process reads a nameless sparse file of twice the memory over and over: no disk is touched, but the page cache is
    always full and the kernel always reclaims. A phase begins when the method is in force.
    """
    from wlat_tui.bench.effect import run

    measure(lambda say: run(directory, seconds, rounds, distance_bytes, say))


@bench.command()
@PLACE
@SECONDS
@ROUNDS
def tracer(directory: Path, seconds: float, rounds: int) -> None:
    """The writer untraced, traced as always, and traced deeply.

    Engines take turns, one at a time and without a screen; the ratio of neighbours is what counts.
    """
    from wlat_tui.bench.tracer import run

    measure(lambda say: run(directory, seconds, rounds, say))


@bench.command()
@PLACE
@SECONDS
@ROUNDS
def suspects(directory: Path, seconds: float, rounds: int) -> None:
    """A neighbour that does nothing but system calls, without and with the watcher, and with opens traced (--watch-opens).

    The sides take turns; each kind of work gets a fifth of the seconds. Nothing is written.
    """
    from wlat_tui.bench.suspects import run

    measure(lambda say: run(directory, seconds, rounds, say))


@bench.command()
@PLACE
@click.option("--hours", type=click.FloatRange(0.1, 100), default=24.0, show_default=True, help="Length of the long recording.")
def sessions(directory: Path, hours: float) -> None:
    """Size of an hour's recording, how quickly a long one opens and seeks, what a report and an export of it take.

    Five minutes of the scripted host are recorded; the long recording repeats them at later times. Writes about 9 MB per hour.
    """
    from wlat_tui.bench.sessions import run

    measure(lambda _say: run(directory, hours))
