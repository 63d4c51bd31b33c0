"""Does prewarming help here? New-page writes under page-cache pressure, without and with the precursor, interleaved."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from wlat_tui.bench.figures import compare
from wlat_tui.bench.pressure import page_cache_pressure, reclaimed_pages, wait_until_reclaiming
from wlat_tui.bench.terminal import BenchError
from wlat_tui.engine_client import Engine
from wlat_tui.frame import Prewarm, Settings, Span, WriteClass, WriterTick
from wlat_tui.histogram import Histogram
from wlat_tui.units import format_bytes

TAKE_HOLD_S = 60.0


@dataclass(frozen=True, slots=True)
class Phase:
    """One method for a while."""

    figures_us: dict[str, float]
    fresh_writes: int
    """Writes that began a page."""
    reclaimed_pages_per_s: float
    resident_pct: float | None
    """Least part of what was prepared that was still in the page cache; None: nothing was prepared."""


def settings(distance_bytes: int) -> Settings:
    """Segments as long as the precursor is ahead: a change of method takes hold with the next segment."""
    return Settings(segment_bytes=distance_bytes, prewarm_bytes=distance_bytes, disk_limit_bytes=4 * distance_bytes)


def _fresh_us(ticks: list[WriterTick]) -> tuple[dict[str, float], int]:
    """Service of the writes that began a page, prepared or not: the only ones that can meet allocation or reclaim."""
    fresh = Histogram()
    for tick in ticks:
        for delta in tick.histograms:
            if delta.span is Span.SERVICE and delta.write_class is not WriteClass.IN_PAGE:
                fresh.add(delta)
    if not fresh.total:
        raise BenchError("no write began a page: the phase is too short")
    names = ("p50", "p99", "p99.9", "worst")
    return {
        f"new page {name}": ns / 1e3 for name, ns in zip(names, fresh.quantiles([0.5, 0.99, 0.999, 1]), strict=True)
    }, fresh.total


def _in_force(tick: WriterTick, method: Prewarm) -> bool:
    """Whether every page-beginning write of this tick met what the method promises."""
    new, prepared = tick.writes[WriteClass.NEW_PAGE], tick.writes[WriteClass.PREPARED]
    return tick.precursor.method is method and (new == 0 < prepared if method is Prewarm.WRITE else prepared == 0 < new)


async def _phase(engine: Engine, wanted: Settings, seconds: float) -> Phase:
    """Ask for *wanted*, wait until they are in force, then measure. Raises BenchError when they never are."""
    seq = await engine.change(wanted)
    take_hold_s = TAKE_HOLD_S + 2 * wanted.segment_bytes / wanted.write_bytes * wanted.interval_ns / 1e9
    asked_s = time.monotonic()
    ticks: list[WriterTick] = []
    began_s = before = 0.0
    async for tick in engine.ticks():
        if not began_s:
            if tick.settings_seq >= seq and _in_force(tick, wanted.prewarm):
                began_s, before = time.monotonic(), reclaimed_pages()
            elif time.monotonic() - asked_s > take_hold_s:
                raise BenchError(f"prewarm {wanted.prewarm.name.lower()} was not in force within {take_hold_s:.0f} s")
            continue
        ticks.append(tick)
        if time.monotonic() - began_s >= seconds:
            break
    figures, total = _fresh_us(ticks)
    resident = [
        100 * tick.precursor.resident_pages / tick.precursor.resident_of_pages
        for tick in ticks
        if tick.precursor.resident_pages is not None and tick.precursor.resident_of_pages
    ]
    rate = (reclaimed_pages() - before) / (time.monotonic() - began_s)
    return Phase(figures, total, rate, min(resident, default=None))


async def _rounds(
    directory: Path, seconds: float, rounds: int, say: Callable[[str], None], base: Settings
) -> list[tuple[Phase, Phase]]:
    engine = await Engine.start(base, directory)
    try:
        runs = []
        for number in range(1, rounds + 1):
            phases: dict[Prewarm, Phase] = {}
            # the order changes every round, so that what drifts favours neither
            for method in (Prewarm.OFF, Prewarm.WRITE)[:: 1 if number % 2 else -1]:
                say(f"effect: round {number} of {rounds}, prewarm {method.name.lower()}")
                phases[method] = await _phase(engine, replace(base, prewarm=method), seconds)
            runs.append((phases[Prewarm.OFF], phases[Prewarm.WRITE]))
        return runs
    finally:
        await engine.stop()


def run(
    directory: Path, seconds: float, rounds: int, distance_bytes: int, say: Callable[[str], None], *, pressure: bool = True
) -> list[str]:
    """Interleaved phases; lines for the terminal.

    Args:
        directory: on the filesystem to write to.
        seconds: of each phase.
        rounds: of one phase with, one without.
        distance_bytes: how far ahead the precursor prepares.
        say: takes progress.
        pressure: False only for trying it out.

    Raises:
        BenchError: there was no pressure, or a method did not take hold.
    """
    base = settings(distance_bytes)
    if pressure:
        with page_cache_pressure(directory):
            wait_until_reclaiming(say)
            runs = asyncio.run(_rounds(directory, seconds, rounds, say, base))
    else:
        runs = asyncio.run(_rounds(directory, seconds, rounds, say, base))
    state = "page cache under pressure" if pressure else "no pressure"
    lines = [
        f"effect: {state}, {seconds:g} s per phase, {format_bytes(distance_bytes)} ahead",
        *compare("service of the writes that begin a page", "off", "prewarm", [(a.figures_us, b.figures_us) for a, b in runs]),
    ]
    for name, side in zip(("off", "prewarm"), zip(*runs, strict=True), strict=True):
        writes = sum(phase.fresh_writes for phase in side)
        rate = min(phase.reclaimed_pages_per_s for phase in side)
        resident = min((phase.resident_pct for phase in side if phase.resident_pct is not None), default=None)
        kept = "" if resident is None else f"; of the prepared pages at least {resident:.0f} % were still in memory"
        lines.append(f"  {name}: {writes:,} writes; at least {rate:,.0f} pages/s reclaimed{kept}")
    return lines
