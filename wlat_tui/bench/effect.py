"""Does prewarming help here? Worst service under page-cache pressure, without and with the precursor, interleaved."""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from wlat_tui.bench.figures import compare
from wlat_tui.engine_client import Engine
from wlat_tui.frame import Prewarm, Settings, Span, WriteClass, WriterTick
from wlat_tui.native import Histogram

PIECE_BYTES = 1 << 20


def _read_for_ever(path: str) -> None:
    """Fill the page cache: a hole reads as zeros without touching the disk, yet every page of it is cached."""
    with open(path, "rb", buffering=0) as file:
        piece = mmap.mmap(-1, PIECE_BYTES)
        while True:
            file.seek(0)
            while file.readinto(piece):
                pass


@contextlib.contextmanager
def page_cache_pressure(directory: Path) -> Iterator[None]:
    """A process that reads a sparse file of twice this machine's memory, over and over."""
    with tempfile.NamedTemporaryFile(dir=directory, prefix=".wlat-pressure-") as file:
        os.truncate(file.fileno(), 2 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        reader = multiprocessing.get_context("spawn").Process(target=_read_for_ever, args=(file.name,), daemon=True)
        reader.start()
        try:
            yield
        finally:
            reader.kill()
            reader.join()


def _figures_us(ticks: list[WriterTick]) -> dict[str, float]:
    """Of the writes that began a page: the only ones that can meet allocation or reclaim."""
    fresh = Histogram()
    for tick in ticks:
        for delta in tick.histograms:
            if delta.span is Span.SERVICE and delta.write_class is not WriteClass.IN_PAGE:
                fresh.add(delta)
    p50, p99, p999 = fresh.quantiles([0.5, 0.99, 0.999])
    worst = max((write.service_ns for tick in ticks if (write := tick.worst[Span.SERVICE])), default=0)
    return {"new page p50": p50 / 1e3, "new page p99": p99 / 1e3, "new page p99.9": p999 / 1e3, "worst of any": worst / 1e3}


async def _phase(engine: Engine, settings: Settings, seconds: float) -> dict[str, float]:
    """Ask for *settings*, wait until they are in force, then measure."""
    await engine.change(settings)
    wanted_ns: int | None = None
    ticks: list[WriterTick] = []
    async for tick in engine.ticks():
        if wanted_ns is None:
            in_force = tick.precursor.method is settings.prewarm
            wanted_ns = tick.end_ns + 2_000_000_000 if in_force else None
        elif tick.begin_ns >= wanted_ns:
            ticks.append(tick)
            if tick.end_ns - wanted_ns >= seconds * 1e9:
                break
    return _figures_us(ticks)


async def _rounds(
    directory: Path, seconds: float, rounds: int, settings: Settings
) -> list[tuple[dict[str, float], dict[str, float]]]:
    engine = await Engine.start(settings, directory)
    try:
        runs = []
        for _ in range(rounds):
            off = await _phase(engine, settings, seconds)
            runs.append((off, await _phase(engine, replace(settings, prewarm=Prewarm.WRITE), seconds)))
        return runs
    finally:
        await engine.stop()


def run(directory: Path, seconds: float, rounds: int) -> list[str]:
    """Interleaved phases under pressure; lines for the terminal."""
    with page_cache_pressure(directory):
        runs = asyncio.run(_rounds(directory, seconds, rounds, Settings()))
    title = f"effect: page cache under pressure, {seconds:g} s per phase, prewarm off against prewarm write (service)"
    return compare(title, "off", "prewarm", runs)
