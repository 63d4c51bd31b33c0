"""What asking the kernel costs the writer: the engine without tracing, traced as always (with and without call chains), and
traced deeply, in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from statistics import median

from wlat_tui.bench.figures import against, compare
from wlat_tui.bench.terminal import BenchError
from wlat_tui.engine_client import Engine
from wlat_tui.evidence import TraceLevel
from wlat_tui.frame import Settings, Span
from wlat_tui.histogram import Histogram
from wlat_tui.native import RawTracer

WARM_UP_S = 2.0
"""Also for the end of the tracing before: the kernel takes a second to take its probes away."""
TARGETS = {"service p50": 1.10, "service p99": 1.05}
SIDES = {
    "off": Settings(trace=False),
    "plain": Settings(trace=True, trace_chains=False),
    "on": Settings(trace=True),
    "deep": Settings(trace=True, deep_trace=True),
}


async def _measured(
    directory: Path, settings: Settings, warm_up_s: float, seconds: float
) -> tuple[dict[str, float], RawTracer]:
    engine = await Engine.start(settings, directory)
    spans = {Span.SERVICE: Histogram(), Span.WAKE: Histogram()}
    tracer: RawTracer | None = None
    began_ns = 0
    try:
        async for report in engine.reports():
            tracer = report.tracer or tracer
            began_ns = began_ns or report.tick.begin_ns
            if report.tick.begin_ns - began_ns < warm_up_s * 1e9:
                continue
            for delta in report.tick.histograms:
                if delta.span in spans:
                    spans[delta.span].add(delta)
            if report.tick.end_ns - began_ns >= (warm_up_s + seconds) * 1e9:
                break
    finally:
        await engine.stop()
    if tracer is None or not all(histogram.total for histogram in spans.values()):
        raise BenchError(f"the engine wrote nothing in {directory} for {seconds:g} s")
    names, fractions = ("p50", "p99", "p99.9"), (0.5, 0.99, 0.999)
    return {
        f"{span.name.lower()} {name}": ns / 1e3
        for span, histogram in spans.items()
        for name, ns in zip(names, histogram.quantiles(fractions), strict=True)
    }, tracer


def run(directory: Path, seconds: float, rounds: int, say: Callable[[str], None], warm_up_s: float = WARM_UP_S) -> list[str]:
    """Interleaved engines, one at a time; lines for the terminal. Raises BenchError when nothing was written."""
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    level = TraceLevel.NOTHING
    whole_cpus = False
    for number in range(1, rounds + 1):
        # the order changes every round, so that what drifts favours neither
        for side in list(SIDES)[:: 1 if number % 2 else -1]:
            say(f"tracer: round {number} of {rounds}, {side}, {warm_up_s + seconds:g} s")
            figures, tracer = asyncio.run(_measured(directory, SIDES[side], warm_up_s, seconds))
            runs[side].append(figures)
            if tracer.traced:
                level, whole_cpus = tracer.level, tracer.whole_cpus
    of = "of whole CPUs" if whole_cpus else "of the thread"
    lines = [
        f"tracer: level {level.name.lower()}, events {of}; {seconds:g} s per side and round, 220 B every 200 us, sleep mode"
    ]
    for before, side, what in (
        ("off", "on", "on against off"),
        ("plain", "on", "call chains alone: on against on without them"),
        ("off", "deep", "deep against off"),
    ):
        lines += compare(f"  {what}", before, side, list(zip(runs[before], runs[side], strict=True)))
        if (before, side) == ("off", "on"):
            for name, target in TARGETS.items():
                ratio = median(b[name] / a[name] for a, b in zip(runs["off"], runs["on"], strict=True))
                lines.append(against(f"{name} ratio (median)", ratio, target, ""))
    return lines
