"""``wlat doctor``: what works here, what does not, why it matters, and the command that would enable it."""

from __future__ import annotations

import json
import os
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from wlat_tui.doctor import examine
from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.doctor.observer import Timing, measure, observed_files
from wlat_tui.kernel import ROOT

WIDTH = 80
INDENT = 30
COLOURS = {State.OK: "green", State.DEGRADED: "yellow", State.MISSING: "cyan", State.HAZARD: "red"}


def report_lines(findings: tuple[Finding, ...], verbose: bool) -> Iterator[str]:
    """The table: what is fine takes a line, what is not says why and what to type."""
    for finding in findings:
        label = click.style(f"{finding.state.value:<9}", fg=COLOURS[finding.state])
        first, *further = _wrap(finding.here)
        yield f"{label} {finding.name:<18}  {first}"
        yield from (f"{'':{INDENT}}{line}" for line in further)
        if verbose or finding.state is not State.OK:
            yield from (f"{'':{INDENT}}{line}" for line in _wrap(finding.why))
        if finding.fix and (verbose or finding.state is not State.OK):
            yield f"{'':10}{click.style('fix', bold=True)}{'':17}{finding.fix}"  # never wrapped: it is there to be copied
    counts = Counter(finding.state for finding in findings)
    yield ""
    yield ", ".join(f"{counts[state]} {state.value}" for state in State)


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - INDENT, break_on_hyphens=False) or [""]


def timing_lines(timings: list[Timing]) -> Iterator[str]:
    """One file per line, then what the live view spends in all."""
    yield f"{'':43} {'fd kept us':>13}  {'open+close us':>13}"
    yield f"{'kernel file':<35}{'per s':>7} {'p50':>7} {'p99':>6}  {'p50':>6} {'p99':>6} {'us/s':>7}"
    for timing in timings:
        name = _short(timing.observed.path)
        if timing.error:
            yield f"{name:<35}{timing.observed.per_s:>7.3g}  n/a: {timing.error}"
            continue
        kept = f"{_us(timing.kept_p50_us):>7} {_us(timing.kept_p99_us):>6}"
        fresh = f"{_us(timing.open_p50_us):>6} {_us(timing.open_p99_us):>6}"
        yield f"{name:<35}{timing.observed.per_s:>7.3g} {kept}  {fresh} {_us(timing.us_per_s):>7}"
    total = sum(timing.us_per_s or 0 for timing in timings)
    yield ""
    yield f"The live view spends {total:.0f} us per second ({total / 10_000:.3f} % of a CPU) reading these."
    yield "It never opens slabinfo or pagetypeinfo. Of these files only /proc/zoneinfo is"
    yield "printed under a lock that writers need (zone->lock, interrupts off)."


def _us(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.{1 if value < 1000 else 0}f}"


def _short(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 34 else "..." + text[-31:]


def _as_json(findings: tuple[Finding, ...]) -> dict[str, Any]:
    return {"findings": [asdict(finding) for finding in findings]}


def _timings_as_json(timings: list[Timing]) -> dict[str, Any]:
    files = []
    for timing in timings:
        facts = asdict(timing)
        facts.update(facts.pop("observed"), us_per_s=timing.us_per_s)
        files.append({**facts, "path": str(timing.observed.path)})
    return {"observer": files}


@click.command()
@click.option("--dir", "directory", metavar="DIR", help="The directory that would be written to (default: the current one).")
@click.option("--observer", is_flag=True, help="Measure what reading each kernel file costs here (about 3 s).")
@click.option("--json", "json_output", is_flag=True, help="For programs.")
@click.option("--verbose", "-v", is_flag=True, help="Say of everything why it matters, also of what is fine.")
@click.option("--root", type=click.Path(path_type=Path, exists=True, file_okay=False), default=ROOT, hidden=True)
@click.pass_context
def doctor(ctx: click.Context, directory: str | None, observer: bool, json_output: bool, verbose: bool, root: Path) -> None:
    """Say what works on this host, what does not, and the command that would enable it. Changes nothing."""
    color = False if os.environ.get("NO_COLOR") else None
    if observer:
        timings = [measure(item) for item in observed_files(root)]
        lines = [json.dumps(_timings_as_json(timings), indent=2)] if json_output else list(timing_lines(timings))
    else:
        chosen = directory or (ctx.parent.params.get("directory") if ctx.parent else None) or "."
        place = Path(chosen)
        if root == ROOT and not place.is_dir():
            raise click.BadParameter(f"{chosen} is not a directory; give one on the filesystem to examine", param_hint="--dir")
        findings = examine(Subject(place.absolute(), root))
        lines = [json.dumps(_as_json(findings), indent=2)] if json_output else list(report_lines(findings, verbose))
    for line in lines:
        click.echo(line, color=color)
