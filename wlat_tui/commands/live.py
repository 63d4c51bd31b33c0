"""``wlat`` without a command: check the flags, choose the source, open the screen."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from wlat_tui.absent import absent
from wlat_tui.frame import Mode, Policy, Prewarm, Settings
from wlat_tui.kernel.cpulist import parse_cpulist
from wlat_tui.options import followers_for
from wlat_tui.sources import Source
from wlat_tui.units import format_ns

with absent("ssl"):  # nothing here speaks TLS, and OpenSSL is large
    import asyncio  # noqa: F401


def parse_policy(text: str) -> tuple[Policy, tuple[int, ...]]:
    """``"bind:1"`` -> (BIND, (1,)). Raises ValueError with one sentence."""
    name, _, nodes = text.partition(":")
    try:
        policy = Policy[name.upper()]
        listed = parse_cpulist(nodes)
    except (KeyError, ValueError):
        listed, policy = (), None
    needs_nodes = policy in (Policy.BIND, Policy.PREFER, Policy.INTERLEAVE)
    if policy is None or needs_nodes != bool(listed):
        raise ValueError(f"'{text}' is not a memory policy: use default, local, bind:N, prefer:N or interleave:N,M")
    return policy, listed


def in_flags(refusal: str) -> str:
    """The engine's sentence with its field names replaced by the flags that set them."""
    for parameter in click.get_current_context().command.params:
        refusal = re.sub(rf"\b{parameter.name}\b", parameter.opts[0], refusal)
    return refusal


def check_places(options: Mapping[str, Any], cpus: Sequence[int], nodes: Sequence[int]) -> None:
    """Refuse CPUs and nodes that this host does not offer. Raises click.UsageError with one sentence."""
    from wlat_tui.kernel.node_vmstat import online_nodes

    if missing := sorted(set(cpus) - os.sched_getaffinity(0)):
        raise click.UsageError(
            f"--cpu {options['cpu_list']}: this process may not run on CPU {missing[0]} (see 'wlat topology')"
        )
    online = online_nodes() or (0,)
    if absent := sorted(set(nodes) - set(online)):
        raise click.UsageError(f"--policy {options['policy']}: there is no node {absent[0]} here (see 'wlat topology')")


def read_settings(options: Mapping[str, Any]) -> Settings:
    """The engine settings that the flags ask for. Raises click.UsageError with one sentence."""
    from wlat_tui.native import refuse_settings

    try:
        policy, nodes = parse_policy(options["policy"])
        cpus = parse_cpulist(options["cpu_list"])
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if not options["demo"]:
        check_places(options, cpus, nodes)
    same_name = (
        "write_bytes",
        "interval_ns",
        "threshold_ns",
        "tick_ns",
        "segment_bytes",
        "disk_limit_bytes",
        "prewarm_bytes",
        "fifo_priority",
        "dma_latency_us",
        "trace",
        "deep_trace",
        "watch_opens",
    )
    settings = Settings(
        **{name: options[name] for name in same_name},
        mode=Mode[options["mode"].upper()],
        prewarm=Prewarm[options["prewarm"].upper()],
        policy=policy,
        policy_nodes=nodes,
        cpus=cpus,
    )
    if (refusal := refuse_settings(settings)) is not None:
        raise click.UsageError(in_flags(refusal))
    return settings


def check_directory(text: str) -> Path:
    """The directory of --dir, absolute. Raises click.UsageError when it is none, or stands on memory instead of a disk."""
    from wlat_tui.kernel.mounts import disk_refusal, read_target

    directory = Path(text)
    if not directory.is_dir():
        raise click.UsageError(f"--dir {directory}: there is no such directory")
    target = read_target(directory)
    if target is not None and (refusal := disk_refusal(target)) is not None:
        raise click.UsageError(refusal)
    return directory.resolve()


def choose_source(options: Mapping[str, Any], settings: Settings) -> Source:
    """The demo, or this host. Raises click.UsageError when the target cannot be written to."""
    if options["demo"]:
        from wlat_tui.sources.scripted import ScriptedSource

        return ScriptedSource(settings=settings)
    from wlat_tui.sources.live import LiveSource

    directory = check_directory(options["directory"])
    return LiveSource(settings, directory, read_only=options["read_only"], sudo=options["sudo"])


def need_terminal(what: str, instead: str, ctx: click.Context | None = None) -> None:
    """Raises click.UsageError when there is no terminal."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError(f"{what} needs a terminal on stdin and stdout (for scripts: {instead})", ctx)


def keeping_for(options: Mapping[str, Any], source: Source) -> Any:
    """What is kept of the run (`wlat_tui.keys.record.Keeping`)."""
    from wlat_tui.commands.record import facts
    from wlat_tui.keys.record import Keeping
    from wlat_tui.sessions.names import default_path

    asked = options["record_to"]
    path = None if asked is None else Path(asked) if asked else default_path()
    return Keeping(
        record=path,
        facts=facts(options, source),
        past_ns=options["flight_ns"],
        flight_above_ns=options["flight_above_ns"],
    )


def live(ctx: click.Context, options: Mapping[str, Any]) -> int:
    """Open the live screen; returns the exit status."""
    need_terminal("the live screen", "'wlat doctor --json', 'wlat topology --json'", ctx)
    followers_for(options, click.echo)  # a command that cannot be run is refused before anything starts
    source = choose_source(options, read_settings(options))
    from wlat_tui.followers.stop_after import caught
    from wlat_tui.running import run
    from wlat_tui.sessions.schema import SessionError

    try:
        status = run(
            source,
            keeping=keeping_for(options, source),
            low_bandwidth=options["low_bandwidth"],
            ascii_only=options["ascii_only"],
            theme=options["theme"],
            refresh_hz=options["refresh_hz"],
            mouse=options["mouse"],
            cast_path=options["cast_path"],
            followers=partial(followers_for, options),
            ended=lambda session, reason: click.echo(
                "\n".join([f"{reason} in {format_ns(session.elapsed_ns)}", *caught(session)])
            ),
        )
    except SessionError as error:
        raise click.UsageError(str(error)) from error
    if source.farewell is not None:
        raise click.ClickException(source.farewell)
    return status
