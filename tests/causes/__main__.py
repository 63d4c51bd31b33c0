"""The confusion matrix: ``python -m tests.causes [--seconds 15] [--guests] [NAME ...]``. Needs root; prints a table of cause
produced x named. Each runs without its load first, half as long: what the host makes by itself stands beside the number of
stalls."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import statistics
import tempfile
from pathlib import Path

from tests.causes.catch import Caught, catch
from tests.causes.experiments import EXPERIMENTS
from tests.causes.rig import Impossible
from wlat_tui.causes import cause_named
from wlat_tui.evidence import TraceLevel
from wlat_tui.units import format_ns

LOCK = Path("/var/tmp/wlat-host.lock")
"""Held while an experiment disturbs the whole host: two at once would explain each other."""


def row(caught: Caught) -> str:
    """One line of the table: what was produced, what it was called."""
    counts = caught.counts
    total = sum(counts.values())
    right = len(caught.right)
    named = ", ".join(
        f"**{cause_named(name).title} {count}**" if name in caught.experiment.expected else f"{cause_named(name).title} {count}"
        for name, count in counts.most_common(5)
    )
    rest = total - sum(count for _, count in counts.most_common(5))
    named += f", others {rest}" if rest else ""
    share = "" if caught.explained_pct is None else f"{caught.explained_pct:.0f} %"
    who = f"; the load's own process named in {caught.by_load} of {right}" if caught.experiment.by_load else ""
    blind = sum(stall.verdict.level is TraceLevel.NOTHING for stall in caught.stalls)
    notes = ", ".join(
        f"{count} {what}"
        for count, what in ((caught.without_load, "without the load"), (blind, "without a trace"), (caught.gaps, "gaps"))
        if count
    )
    if caught.background_ns is not None:
        threshold, p999 = format_ns(caught.experiment.settings.threshold_ns), format_ns(caught.background_ns)
        who += f"; threshold {threshold}, background p99.9 {p999}"
    return f"| {caught.experiment.name} | {total}{f' ({notes})' if notes else ''} | {named or 'none'}{who} | {share} |"


def detail(caught: Caught) -> list[str]:
    """What the longest stall that was called something else consisted of."""
    wrong = [stall for stall in caught.stalls if stall.verdict.cause not in caught.experiment.expected]
    if not wrong:
        return []
    worst = max(wrong, key=lambda stall: stall.verdict.span_ns)
    verdict = worst.verdict
    lines = [f"    otherwise: {verdict.cause}, {verdict.span_ns / 1e3:.0f} us, lost {verdict.lost}"]
    for phase in sorted(verdict.phases, key=lambda phase: -phase.length_ns)[:4]:
        lines.append(f"      {phase.length_ns / 1e3:9.1f} us {phase.cause}: {phase.evidence}  [{' '.join(phase.chain[:9])}]")
    return lines


def print_guests() -> None:
    """What needs two memory nodes, or a host whose memory may run short."""
    # not at the top: guests run experiments through this module
    from tests.numa.causes import KERNELS, made_in_guest

    for kernel in KERNELS:
        with tempfile.TemporaryDirectory() as scratch:
            for name, told in made_in_guest(kernel, Path(scratch) / "out").items():
                print(told.get("row", f"| {name} | | not made | |").replace(name, f"{name}, guest {kernel}", 1), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="experiments to make; default: all")
    parser.add_argument("--seconds", type=float, default=15.0, help="under load, each")
    parser.add_argument("--guests", action="store_true", help="only what guests with two memory nodes show; minutes each")
    parser.add_argument("--verbose", action="store_true", help="show the longest stall that was called something else")
    options = parser.parse_args()
    print("| produced | stalls | named (expected in bold) | explained |\n|---|---|---|---|", flush=True)
    if options.guests:
        print_guests()
        return
    shares = []
    with LOCK.open("w") as lock:
        for experiment in EXPERIMENTS:
            if options.names and not any(name in experiment.name for name in options.names):
                continue
            if experiment.host_wide:
                fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                caught = asyncio.run(catch(experiment, options.seconds, before_s=options.seconds / 2))
            except Impossible as why:
                print(f"| {experiment.name} | | not made: {why} | |", flush=True)
                continue
            finally:
                fcntl.flock(lock, fcntl.LOCK_UN)
            print(row(caught), flush=True)
            if options.verbose:
                print("\n".join(detail(caught)), flush=True)
            if caught.explained_pct is not None:
                shares.append(caught.explained_pct)
    if shares:
        print(
            f"\nexplained share of what was named rightly: median {statistics.median(shares):.0f} %, least {min(shares):.0f} %"
        )


if __name__ == "__main__":
    main()
