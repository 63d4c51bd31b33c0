"""``wlat info``: what a recording holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from wlat_tui.commands.files import FILE, format_of, opened
from wlat_tui.sessions.compact import within
from wlat_tui.sessions.places import late_wakes
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.schema import GAPS
from wlat_tui.units import format_bytes, format_ns

SPANS = ("wake", "service", "response")
SUMMED = ("in_page", "new_page", "prepared", "stalls", "skipped_slots", "error_slots", "gap_ns")
LISTED = 20
"""Marks shown; the others are counted."""
SUSPECTS_SHOWN = 3


def facts(recording: Recording) -> dict[str, Any]:
    """Everything the command shows, from the tables only: no frame is unpacked but the one that brought the host. None: n/a."""
    span_ns = recording.span_ns
    first, last = (recording.row(f"SELECT wall_ns FROM frame ORDER BY number {order} LIMIT 1") for order in ("", "DESC"))
    host = recording.row("SELECT value FROM host ORDER BY frame DESC LIMIT 1")
    sums = recording.row(f"SELECT {', '.join(f'sum({name})' for name in SUMMED)} FROM frame")
    return {
        "file": str(recording.path),
        "format": format_of(recording),
        "bytes": recording.path.stat().st_size,
        "frames": len(recording),
        "begin_ns": None if span_ns is None else span_ns[0],
        "elapsed_ns": None if span_ns is None else span_ns[1] - span_ns[0],
        "begin_wall_ns": first and first[0],
        "end_wall_ns": last and last[0],
        "header": recording.facts,
        "host": json.loads(host[0]) if host else None,
        "settings": dict(recording.rows("SELECT name, value FROM setting ORDER BY frame")),
        "knobs": dict(recording.rows("SELECT name, value FROM knob ORDER BY frame")),
        "worst": {span: _worst(recording, span) for span in SPANS},
        "counts": dict(zip(SUMMED, sums or (), strict=False)),
        "late_wakes": late_wakes(recording),
        "losses": dict(recording.rows("SELECT name, sum(count) FROM loss GROUP BY name")),
        "holes": [row[1:] for row in recording.rows(GAPS)],
        "nodes": [
            dict(zip(("node", "least_free_pages", "most_free_pages"), row, strict=True))
            for row in recording.rows("SELECT node, min(free), max(free) FROM node GROUP BY node")
        ],
        "suspects": _suspects(recording),
        "marks": [
            dict(zip(("at_ns", "kind", "name", "text"), row, strict=True))
            for row in recording.rows("SELECT at_ns, kind, name, text FROM mark ORDER BY at_ns")
        ],
        "notices": [text for (text,) in recording.rows("SELECT DISTINCT text FROM notice")],
    }


def _worst(recording: Recording, span: str) -> dict[str, int] | None:
    """The slowest write by one span, and when."""
    column = f"worst_{span}_ns"
    row = recording.row(
        f"SELECT {column}, end_ns, wall_ns FROM frame WHERE {column} IS NOT NULL ORDER BY {column} DESC, number LIMIT 1"
    )
    return None if row is None else {"ns": row[0], "end_ns": row[1], "wall_ns": row[2]}


def _suspects(recording: Recording) -> list[dict[str, Any]] | None:
    """Who was seen disturbing the writes, those seen during stalls first; None: older files do not have it as a table."""
    if not recording.holds("suspect"):
        return None
    rows = recording.rows(
        "SELECT kind, what, comm, command, own, count(DISTINCT pid), sum(count), sum(spent_ns), sum(stalls > 0)"
        " FROM suspect GROUP BY kind, what, comm, command, own ORDER BY own, sum(stalls > 0) DESC, sum(spent_ns) DESC LIMIT ?",
        (LISTED,),
    )
    names = ("kind", "what", "comm", "command", "own", "processes", "count", "spent_ns", "during_stalls")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _clock(wall_ns: int | None) -> str:
    return "n/a" if wall_ns is None else datetime.fromtimestamp(wall_ns / 1e9).astimezone().isoformat(" ", "seconds")


def lines(known: dict[str, Any]) -> Iterator[str]:
    """For people."""
    header, host = known["header"], known["host"]
    yield f"{known['file']}  format {known['format']}, {format_bytes(known['bytes'])}, {known['frames']} frames"
    ended = header.get("ended")
    yield "  " + (f"ended: {ended.get('reason')}" if ended else "was not closed (still being recorded, or wlat was killed)")
    if header.get("compact"):
        yield f"  compact: histograms within {within(header)}"
    yield f"  {_clock(known['begin_wall_ns'])} to {_clock(known['end_wall_ns'])}, {format_ns(known['elapsed_ns'])}"
    yield f"  recorded by wlat {header.get('wlat', 'n/a')} from {header.get('source', 'n/a')}"
    if host:
        cpu = f" ({host['cpu']})" if host.get("cpu") else ""
        size = f"{len(host['cpus_online'])} CPUs{cpu}, {len(host['nodes'])} node{'s' * (len(host['nodes']) != 1)}"
        yield f"host    {host['hostname']}, Linux {host['kernel']}, {size}"
        if target := host["target"]:
            yield f"target  {target['directory']} on {target['filesystem']} ({target['device']}, {target['mount_options']})"
    for span in SPANS:
        worst = known["worst"][span]
        if worst is not None:
            yield f"worst   {span:<9}{format_ns(worst['ns']):>8}  at {_clock(worst['wall_ns'])}"
    counts = {name: count for name, count in known["counts"].items() if count}
    late = min(known["late_wakes"], counts.pop("stalls", 0))
    counts = {"stalls in write()": (known["counts"].get("stalls") or 0) - late, "late wakes": late, **counts}
    counts = {name: count for name, count in counts.items() if count}
    writes = [
        f"{counts.pop(name):,} {name.replace('_', '-')}" for name in ("in_page", "new_page", "prepared") if name in counts
    ]
    yield f"writes  {', '.join(writes) or 'none'}"
    gap_ns = counts.pop("gap_ns", 0)
    others = [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()]
    others += [f"{format_ns(gap_ns)} stopped"] if gap_ns else []
    others += [f"{count} {name.replace('_', ' ')} lost" for name, count in known["losses"].items()]
    others += [f"{len(known['holes'])} holes in time"] if known["holes"] else []
    if others:
        yield f"        {', '.join(others)}"
    for node in known["nodes"]:
        page = host["page_bytes"] if host else None
        free = [None if n is None or page is None else n * page for n in (node["least_free_pages"], node["most_free_pages"])]
        yield f"node {node['node']:<3}free from {format_bytes(free[0])} to {format_bytes(free[1])}"
    for suspect in [seen for seen in known["suspects"] or () if seen["during_stalls"]][:SUSPECTS_SHOWN]:
        spent = "" if suspect["spent_ns"] is None else f", {format_ns(suspect['spent_ns'])} in all"
        who = suspect["command"] or suspect["comm"] or "n/a"
        yield (
            f"suspect {who}: {suspect['kind']} {suspect['what']} {_times(suspect['count'])}{spent},"
            f" {_times(suspect['during_stalls'])} during a stall"
        )
    for mark in known["marks"][:LISTED]:
        yield f"mark    +{format_ns(mark['at_ns'] - known['begin_ns'])} {mark['kind']}: {mark['text']}"
    if len(known["marks"]) > LISTED:
        yield f"        and {len(known['marks']) - LISTED} more"
    for text in known["notices"][:LISTED]:
        yield f"note    {text}"


@click.command()
@FILE
@click.option("--json", "json_output", is_flag=True, help="For programs; null: not recorded.")
def info(file: Path, json_output: bool) -> None:
    """Show what a recording holds."""
    with opened(file) as recording:
        try:
            known = facts(recording)
            text = json.dumps(known, indent=2) if json_output else "\n".join(lines(known))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise click.UsageError(f"{file} is damaged ({error}): 'wlat repair' saves what can be saved") from error
    click.echo(text)
