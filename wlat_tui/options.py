"""Command-line options that several commands share: where frames come from and how the writer writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wlat_tui.units import parse_duration_ns, parse_size_bytes

if TYPE_CHECKING:
    from wlat_tui.followers import Follower

_Command = TypeVar("_Command", bound=Callable[..., Any])


class Quantity(click.ParamType[int]):
    """An option value with a unit, such as 200us or 64M."""

    def __init__(self, name: str, parse: Callable[[str], int]) -> None:
        self.name = name
        self.parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Quantity("duration", parse_duration_ns)
SIZE = Quantity("size", parse_size_bytes)


_SOURCE_OPTIONS = (
    click.option(
        "--dir",
        "directory",
        metavar="DIR",
        default=".",
        show_default="current",
        help="Write on the filesystem of this directory; nothing existing is touched.",
    ),
    click.option("--size", "write_bytes", type=SIZE, default="220", show_default=True, help="Bytes of each write()."),
    click.option(
        "--interval",
        "interval_ns",
        type=DURATION,
        default="200us",
        show_default=True,
        help="Time from one planned write to the next, 10us to 1s.",
    ),
    click.option(
        "--threshold",
        "threshold_ns",
        type=DURATION,
        default="1ms",
        show_default=True,
        help="A write that takes longer is a stall.",
    ),
    click.option(
        "--mode",
        type=click.Choice(["sleep", "spin"]),
        default="sleep",
        show_default=True,
        help="How the writer waits; spin takes a whole CPU.",
    ),
    click.option("--cpu", "cpu_list", metavar="LIST", default="", help="Pin the writer to these CPUs, such as 2 or 0-3,8."),
    click.option(
        "--policy",
        metavar="POLICY",
        default="default",
        show_default=True,
        help="Memory policy: default, local, bind:N, prefer:N or interleave:N,M.",
    ),
    click.option(
        "--prewarm",
        type=click.Choice(["off", "fallocate", "read", "write"]),
        default="off",
        show_default=True,
        help="How the precursor prepares pages ahead.",
    ),
    click.option(
        "--prewarm-distance", "prewarm_bytes", type=SIZE, default="4M", show_default=True, help="How far ahead it prepares."
    ),
    click.option(
        "--fifo",
        "fifo_priority",
        type=click.IntRange(0, 50),
        default=0,
        show_default="off",
        help="Run the writer under SCHED_FIFO at this priority (flatters the result).",
    ),
    click.option(
        "--dma-latency",
        "dma_latency_us",
        type=click.IntRange(-1),
        default=-1,
        show_default="off",
        help="Hold /dev/cpu_dma_latency at this many microseconds (flatters the result).",
    ),
    click.option("--segment", "segment_bytes", type=SIZE, default="64M", show_default=True, help="Size of each file written."),
    click.option(
        "--disk-limit",
        "disk_limit_bytes",
        type=SIZE,
        default="1G",
        show_default=True,
        help="Never hold more disk space than this.",
    ),
    click.option("--tick", "tick_ns", type=DURATION, default="200ms", show_default=True, help="Time one report covers."),
    click.option(
        "--trace/--no-trace",
        "trace",
        default=True,
        show_default=True,
        help="Ask the kernel why a write stalled; costs next to nothing.",
    ),
    click.option("--deep-trace", is_flag=True, help="Ask the kernel everything about a stall ('wlat bench tracer': the cost)."),
    click.option(
        "--watch-opens",
        is_flag=True,
        help="Name readers in containers also without kernel probes; taxes each open() on this host.",
    ),
    click.option("--read-only", is_flag=True, help="Change nothing on this host: no toggles of kernel settings."),
    click.option("--sudo", is_flag=True, help="Run the engine and the keeper through 'sudo -n'; the screen stays yours."),
    click.option(
        "--demo", is_flag=True, help="Show a scripted two-node host instead of this one; nothing is written or changed."
    ),
)


def source_options(command: _Command) -> _Command:
    """Everything that `wlat_tui.commands.live.read_settings` and ``choose_source`` want to know."""
    for option in reversed(_SOURCE_OPTIONS):
        command = option(command)
    return command


_SCREEN_OPTIONS = (
    click.option(
        "--low-bandwidth/--full-bandwidth",
        default=None,
        help="Send under 2 KB/s to the terminal (default: by itself on a slow link).",
    ),
    click.option("--ascii/--unicode", "ascii_only", default=None, help="Draw with plain ASCII (default: by the locale)."),
    click.option("--mouse/--no-mouse", default=None, help="React to the mouse (default: not over SSH)."),
    click.option(
        "--cast",
        "cast_path",
        type=click.Path(path_type=Path),
        default=None,
        metavar="FILE",
        help="Record the screen itself, for 'asciinema play'.",
    ),
    click.option("--theme", metavar="NAME", default=None, help="Colour theme."),
    click.option(
        "--refresh",
        "refresh_hz",
        type=click.FloatRange(0.2, 20),
        default=4,
        show_default=True,
        help="Screen updates per second.",
    ),
)


def screen_options(command: _Command) -> _Command:
    """Everything that `wlat_tui.running.run` wants to know about the screen."""
    for option in reversed(_SCREEN_OPTIONS):
        command = option(command)
    return command


_STALL_OPTIONS = (
    click.option(
        "--stop-after",
        "stop_after",
        type=click.IntRange(1),
        default=None,
        metavar="N",
        help="End after N stalls in write(), and print them with their causes.",
    ),
    click.option(
        "--on-stall",
        "on_stall",
        metavar="COMMAND",
        default=None,
        help="Run this when a write stalled, at most every 10 s; the stall is JSON on its standard input.",
    ),
    click.option("--on-stall-shell", is_flag=True, help="Run the command of --on-stall in /bin/sh."),
)


def stall_options(command: _Command) -> _Command:
    """Everything that `followers_for` wants to know."""
    for option in reversed(_STALL_OPTIONS):
        command = option(command)
    return command


def followers_for(options: Mapping[str, Any], tell: Callable[[str], None]) -> tuple[Follower, ...]:
    """What --stop-after and --on-stall ask for; *tell* hears of failures. Raises click.UsageError with one sentence."""
    from wlat_tui.followers.on_stall import OnStall, command_line
    from wlat_tui.followers.stop_after import StopAfter

    followers: list[Follower] = []
    if options["on_stall"] is not None:
        try:
            followers.append(OnStall(command_line(options["on_stall"], options["on_stall_shell"]), tell))
        except ValueError as error:
            raise click.UsageError(f"--on-stall: {error}") from error
    elif options["on_stall_shell"]:
        raise click.UsageError("--on-stall-shell needs --on-stall COMMAND")
    if options["stop_after"] is not None:
        followers.append(StopAfter(options["stop_after"]))
    return tuple(followers)


_RECORD_OPTIONS = (
    click.option(
        "--record",
        "record_to",
        is_flag=False,
        flag_value="",
        default=None,
        metavar="[FILE]",
        help="Record from the start, into FILE or one named by host and time (r does it later).",
    ),
    click.option(
        "--flight",
        "flight_ns",
        type=DURATION,
        default="30m",
        show_default=True,
        help="Keep so much in memory, to look back at (,) and to write out (f); 0s: nothing.",
    ),
    click.option(
        "--flight-above",
        "flight_above_ns",
        type=DURATION,
        default=None,
        metavar="TIME",
        help="Write it out by itself when a write takes longer than this.",
    ),
)


def record_options(command: _Command) -> _Command:
    """What is kept of a live run."""
    for option in reversed(_RECORD_OPTIONS):
        command = option(command)
    return command
