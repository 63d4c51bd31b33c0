"""``wlat experiment``: sides that take turns on this host, compared."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from typing import Any

import click
from click.core import ParameterSource

from wlat_tui.commands.live import check_directory, choose_source, read_settings
from wlat_tui.commands.record import facts
from wlat_tui.commands.stopping import until_stopped
from wlat_tui.compare.comparison import compare
from wlat_tui.compare.spans import experiment_sides, read_side
from wlat_tui.compare.text import lines as comparison_lines
from wlat_tui.experiment.outcome import count_lines, phases_of
from wlat_tui.experiment.plan import Plan, PlanError, find_plan, line_of, shipped
from wlat_tui.experiment.run import Experiment, ExperimentError, orders
from wlat_tui.frame import Span
from wlat_tui.loads import LoadError
from wlat_tui.options import DURATION, source_options
from wlat_tui.sessions.names import default_path
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.schema import SessionError
from wlat_tui.sources import Source
from wlat_tui.sources.live import STARTING
from wlat_tui.units import format_bytes, format_ns

NOT_IN_PLANS = ("demo", "read-only", "sudo", "dir")
"""Flags that say where and as whom, which is not the plan's to decide."""


def show_plans(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    """The plans that come with wlat."""
    if value and not ctx.resilient_parsing:
        for name in sorted(shipped()):
            plan = find_plan(name)
            click.echo(f"{name:<20}{plan.question}")
        ctx.exit()


def in_plan(options: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """The options with what the plan's [writer] says; flags that were typed win. Raises click.UsageError naming the line."""
    ctx = click.get_current_context()
    flags = {long.removeprefix("--"): p for p in ctx.command.params for long in p.opts if long.startswith("--")}
    known = [name for name, param in flags.items() if param.name in options and name not in NOT_IN_PLANS]
    for key, text in plan.writer.items():
        where = f"{plan.name}, line {line_of(plan.text, ('writer', key))}"
        if key not in known:
            raise click.UsageError(f"{where}: '{key}' is no setting of the writer: there are {', '.join(sorted(known))}")
        param = flags[key]
        assert param.name is not None
        if ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            continue
        try:
            options[param.name] = param.type.convert(text, param, ctx)
        except click.BadParameter as error:
            raise click.UsageError(f"{where}: {error.message}") from error
    return options


def with_flags(plan: Plan, rounds: int | None, phase_ns: int | None, seed: int | None) -> tuple[Plan, int]:
    """The plan with what was typed instead, and the seed."""
    if rounds is not None:
        plan = replace(plan, rounds=rounds)
    if phase_ns is not None:
        plan = replace(plan, phase_ns=phase_ns, phase_writes=None)
    return plan, SystemRandom().randrange(1_000_000) if seed is None else seed


async def play(
    experiment: Experiment, source: Source, plan: Plan, seed: int, path: Path, header: Mapping[str, object]
) -> tuple[Recorder, str]:
    """Prepare, record, play. Raises what `Experiment` raises, before anything was changed and with no file made, or after."""
    recorder: Recorder | None = None

    async def work() -> str:
        nonlocal recorder
        sides = await experiment.prepare(STARTING)
        for warning in experiment.warnings:
            click.echo(warning, err=True)
        order = orders(plan, sides, seed)
        names = [[side.name for side in turn] for turn in order]
        told = {"plan": plan.text, "name": plan.name, "title": plan.title, "seed": seed, "order": names}
        recorder = Recorder(path, {**header, "experiment": told})
        return await experiment.play(order, recorder)

    async def leave() -> None:
        experiment.close()
        await source.close()

    why = "wlat failed"
    try:
        why = await until_stopped(work(), leave)
    except (ExperimentError, LoadError) as error:
        why = f"broken off: {error}"
        if recorder is None:
            raise
    finally:
        if recorder is not None and (kept := recorder.close(why)) is not None:
            click.echo(kept, err=True)
    if recorder is None:
        raise click.Abort
    return recorder, why


def results(path: Path, plan: Plan, why: str, warnings: list[str]) -> list[str]:
    """What is printed at the end."""
    with Recording(path) as recording:
        told = recording.facts["experiment"]
        found = phases_of(recording)
        lines = [
            plan.title,
            *([plan.question] if plan.question else []),
            f"  {len(found)} phases, seed {told['seed']}: " + "; ".join(", ".join(turn) for turn in told["order"]),
            f"  {why}",
            *(f"  note: {warning}" for warning in warnings),
        ]
        order = [side.name for side in plan.sides]
        chosen = sorted(experiment_sides(recording), key=lambda side: order.index(side.name))
        sides = [read_side(recording, side, Span.SERVICE) for side in chosen]
        for side in sides[1:]:
            lines += ["", f"{side.name} against {sides[0].name}", *comparison_lines(compare(sides[0], side))]
        lines += ["", *count_lines(recording)]
    return [*lines, f"  {format_bytes(path.stat().st_size)} in {path}"]


@click.command()
@click.argument("plan_name", metavar="PLAN", required=True)
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=show_plans, help="Print the plans that come with wlat."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=None, help="The recording; by default named by host and time."
)
@click.option("--seed", type=click.IntRange(0), default=None, help="Of the order of turns; by default a new one, printed.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=None, help="Instead of what the plan says.")
@click.option("--phase", "phase_ns", type=DURATION, default=None, metavar="TIME", help="Instead of what the plan says.")
@source_options
def experiment(
    plan_name: str, output: Path | None, seed: int | None, rounds: int | None, phase_ns: int | None, **options: Any
) -> None:
    """Let sides take turns on this host, and compare them.

    PLAN is a TOML file, or one of those that come with wlat (--list). Every side sets mitigations and starts loads; each comes
    once per round, in random order, its warm-up left out. One recording holds everything. Loads disturb the whole host while
    they run; settings and loads end with the experiment, however it ends.
    """
    try:
        plan, chosen = with_flags(find_plan(plan_name), rounds, phase_ns, seed)
    except PlanError as error:
        raise click.UsageError(str(error)) from error
    options = in_plan(options, plan)
    source = choose_source(options, read_settings(options))
    directory = None if options["demo"] else check_directory(options["directory"])
    path = output or default_path()
    if path.exists():
        raise click.UsageError(f"{path} exists and is not overwritten: choose another name")
    turns = plan.rounds * len(plan.sides)
    length = f"{plan.phase_writes:,} writes" if plan.phase_ns is None else format_ns(plan.phase_ns)
    click.echo(f"{plan.title}: {turns} phases of {length} after {format_ns(plan.warm_up_ns)} or more; seed {chosen}", err=True)
    running = Experiment(plan, source, directory, lambda text: click.echo(text, err=True))
    try:
        header = facts({**options, "plan": plan_name}, source)
        _, why = asyncio.run(play(running, source, plan, chosen, path, header))
    except (ExperimentError, PlanError, SessionError, LoadError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise click.UsageError(f"{path} cannot be made: {error.strerror}") from error
    for line in results(path, plan, why, running.warnings):
        click.echo(line)
    if source.farewell is not None:
        raise click.ClickException(source.farewell)
    if why.startswith("broken off"):
        raise click.ClickException(why)
