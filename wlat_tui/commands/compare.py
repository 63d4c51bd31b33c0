"""``wlat compare``: two recordings, or two spans of one, against each other."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from wlat_tui.commands.files import opened, output_file, refuse_existing, shown
from wlat_tui.compare.comparison import compare
from wlat_tui.compare.page import comparison_page
from wlat_tui.compare.side import Side
from wlat_tui.compare.spans import Chosen, around, experiment_sides, read_side, split_name, stretch
from wlat_tui.compare.text import lines
from wlat_tui.frame import Span
from wlat_tui.report.page import NoLibrary, library
from wlat_tui.sessions.recording import Recording


def chosen_sides(names: tuple[str, ...], mark: str | None, stack: ExitStack) -> list[tuple[Recording, Chosen]]:
    """What to compare, first the side to compare with. Raises ValueError when that is not clear."""
    open_files: dict[Path, Recording] = {}
    found: list[tuple[Recording, Chosen]] = []
    for name in names:
        path, begin, end = split_name(name)
        if path not in open_files:
            open_files[path] = stack.enter_context(opened(path))
        recording = open_files[path]
        found.append((recording, Chosen(path.name + name.removeprefix(str(path)), (stretch(recording, begin, end),))))
    if len(found) == 2:
        if mark is not None:
            raise ValueError("--around takes one recording, not two")
        return found
    recording = found[0][0]
    if mark is not None:
        return [(recording, side) for side in around(recording, mark)]
    sides = experiment_sides(recording)
    if len(sides) < 2:
        raise ValueError(
            f"{recording.path} is not the recording of an experiment: name another recording, a span (FILE@20s..1m), "
            "or what to compare around (--around MARK)"
        )
    return [(recording, side) for side in sides]


@click.command(name="compare")
@click.argument("names", metavar="A [B]", nargs=-1, required=True)
@click.option(
    "--around", "mark", metavar="MARK", default=None, help="Before and after a toggle (its name), a note, or mark number N."
)
@click.option(
    "--span",
    type=click.Choice(["service", "response"]),
    default="service",
    show_default=True,
    help="What write() took, or what an arrival on schedule would have waited.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, help="Make an HTML page, a new file, instead of text."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the draws behind the intervals.")
def command(names: tuple[str, ...], mark: str | None, span: str, output: Path | None, seed: int) -> None:
    """Compare two runs, and say whether they differ.

    A and B are recordings or spans of them (run.wlat@20s..1m30s). One recording alone: the sides of an experiment, or --around
    a mark. With more than two sides each is compared with the first.
    """
    if len(names) > 2:
        raise click.UsageError("more than two things were named: compare two, such as 'wlat compare before.wlat after.wlat'")
    if output is not None:
        try:
            library()
        except NoLibrary as error:
            raise click.UsageError(str(error)) from error
        refuse_existing(output)
    with ExitStack() as stack:
        try:
            chosen = chosen_sides(names, mark, stack)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        sides: list[Side] = []
        for recording, choice in chosen:
            sides.append(read_side(recording, choice, Span[span.upper()], shown))
    about = {choice.about for _, choice in chosen if choice.about}
    comparisons = [compare(sides[0], side, seed=seed, about=about) for side in sides[1:]]
    if output is not None:
        with output_file(output) as out:
            out.writelines(comparison_page(comparisons))
        for comparison in comparisons:
            click.echo(comparison.verdict.sentence)
        return
    for number, comparison in enumerate(comparisons):
        if number:
            click.echo()
        for line in lines(comparison):
            click.echo(line)
