"""Evidence of stalls: perf records become events with names, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from wlat_tui.aside import step_aside
from wlat_tui.evidence import StallTrace, TraceEvent, TraceLevel, Tracer
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.kallsyms import Kallsyms, Naming, read_kallsyms
from wlat_tui.kernel.perf_records import Record, parse_records
from wlat_tui.kernel.tracepoints import Format, parse_format
from wlat_tui.native import RawTrace, RawTracer, Report
from wlat_tui.tracing import describe

MOST_AWAITED_BYTES = 32 << 20
"""Perf records that wait to be interpreted. Beyond it they are dropped: whoever is that far behind would never catch up."""


class Interpreter:
    """Perf records to `TraceEvent`s, by the description the engine sent of its probes."""

    def __init__(self, raw: RawTracer) -> None:
        self._names = tuple(probe.name.partition(":")[2] for probe in raw.probes)
        self._formats: tuple[Format, ...] = tuple(parse_format(probe.format) for probe in raw.probes)
        self._with_chain = frozenset(number for number, probe in enumerate(raw.probes) if probe.chain)
        self._with_fields = raw.level is TraceLevel.FULL

    def trace(self, raw: RawTrace, symbols: Naming | None) -> StallTrace:
        """Raises ValueError: these are no records of ours (one sentence)."""
        events = [
            self._event(record, symbols) for record in parse_records(raw.records, self._with_chain, raw=self._with_fields)
        ]
        events.sort(key=lambda event: event.at_ns)
        return StallTrace(raw.planned_ns, raw.from_ns, raw.to_ns, tuple(events), raw.lost, omitted=raw.omitted)

    def addresses(self, raw: RawTrace) -> Iterator[int]:
        """What has to be named. Raises ValueError as `trace` does."""
        for record in parse_records(raw.records, self._with_chain, raw=self._with_fields):
            for place, address in enumerate(record.chain):
                yield _place_in(address, place)

    def _event(self, record: Record, symbols: Naming | None) -> TraceEvent:
        if record.probe is None:
            numbers: Mapping[str, int] = {"count": record.count} if record.name == "lost" else {}
            return TraceEvent(record.at_ns, record.name, record.cpu, numbers=numbers)
        if record.probe >= len(self._names):
            return TraceEvent(record.at_ns, "unknown", record.cpu)
        numbers, texts = self._formats[record.probe].values(record.raw)
        if symbols is not None and "lock_addr" in numbers and (lock := symbols.variable(numbers["lock_addr"])):
            texts = {**texts, "lock": lock}
        return TraceEvent(record.at_ns, self._names[record.probe], record.cpu, _chain(record.chain, symbols), numbers, texts)


def _chain(addresses: tuple[int, ...], symbols: Naming | None) -> tuple[str, ...]:
    if symbols is None:
        return tuple(f"{address:#x}" for address in addresses)
    return tuple(symbols.function(_place_in(address, place)) for place, address in enumerate(addresses))


def _place_in(address: int, place: int) -> int:
    """All but the innermost are return addresses: behind the call, which may have been the function's last instruction."""
    return address - (place > 0)


class Told:
    """Names that somebody else was asked for."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}

    def function(self, address: int) -> str:
        return self.names.get(address, f"{address:#x}")

    def variable(self, address: int) -> str | None:
        return None


class Privileged(Protocol):
    """What has to be asked of somebody with more rights than the screen may have (the keeper, if it is there)."""

    async def functions(self, addresses: Sequence[int]) -> Sequence[str]:
        """Names of kernel functions by address, where this user may not see them; fewer, or none, where nobody may ask."""

    async def listing(self, from_ns: int, to_ns: int) -> str:
        """The function listing of this span; "" when it is not switched on."""


class StallTraces:
    """Takes the engine's reports, gives frames their evidence: a frame or two later, on a slow host when it is done."""

    def __init__(self, keeper: Privileged, root: Path = ROOT) -> None:
        self._root = root
        self._keeper = keeper
        self._told = Told()
        self._thread = ThreadPoolExecutor(1, "wlat-symbols", step_aside)
        self._closing = threading.Event()
        self._interpreter: Interpreter | None = None
        self._symbols: Kallsyms | None = None
        self._symbols_asked = False
        self._waiting: dict[asyncio.Task[None], tuple[RawTrace, ...]] = {}
        self._done: list[StallTrace] = []
        self._tracer: Tracer | None = None
        self._notices: list[str] = []
        self._losses: Counter[str] = Counter()

    def take(self, report: Report, privilege: str) -> None:
        """Start on what came with this report (in a running event loop)."""
        if report.tracer is not None:
            self._interpreter = Interpreter(report.tracer)
            self._tracer = describe(report.tracer, privilege)
            if self._tracer.level >= TraceLevel.CHAINS:
                # before the first stall needs them: emulated CPUs were seen to take half a minute
                self._thread.submit(self._read_symbols)
        self._losses["traces"] += report.traces_lost
        self._losses["records"] += sum(trace.lost for trace in report.traces)
        if not report.traces or self._interpreter is None:
            return
        if sum(len(raw.records) for raws in self._waiting.values() for raw in raws) > MOST_AWAITED_BYTES:
            self._losses["traces"] += len(report.traces)
            return
        task = asyncio.create_task(self._work(self._interpreter, report.traces))
        self._waiting[task] = report.traces
        task.add_done_callback(self._waiting.pop)

    async def _work(self, interpreter: Interpreter, raws: tuple[RawTrace, ...]) -> None:
        loop = asyncio.get_running_loop()
        try:
            done, unknown = await loop.run_in_executor(self._thread, self._read, interpreter, raws)
            if unknown:
                self._told.names.update(zip(unknown, await self._keeper.functions(unknown), strict=False))
                done = await loop.run_in_executor(self._thread, self._interpret, interpreter, raws)
            if self._closing.is_set():
                return  # not all of them were read
            # the longest one is shown function by function, where that is switched on
            worst = max(range(len(done)), key=lambda at: done[at].to_ns - done[at].from_ns)
            if listing := await self._keeper.listing(done[worst].from_ns, done[worst].to_ns):
                done[worst] = replace(done[worst], listing=listing)
            self._done += done
        except ValueError as error:
            self._notices.append(f"evidence of a stall cannot be read: {error}")

    def _read(self, interpreter: Interpreter, raws: tuple[RawTrace, ...]) -> tuple[list[StallTrace], list[int]]:
        """On the thread: the traces; or the addresses that somebody has to be asked for who may see them."""
        self._read_symbols()
        if self._symbols is None:
            addresses = {address for raw in raws for address in interpreter.addresses(raw)}
            if unknown := sorted(addresses - self._told.names.keys()):
                return [], unknown
        return self._interpret(interpreter, raws), []

    def _read_symbols(self) -> None:
        """On the thread, once."""
        if self._symbols_asked:
            return
        self._symbols_asked = True
        try:
            symbols = read_kallsyms(self._root)
            self._symbols = None if symbols.hidden else symbols
        except OSError as error:
            self._notices.append(f"/proc/kallsyms cannot be read: {error.strerror}")

    def _interpret(self, interpreter: Interpreter, raws: tuple[RawTrace, ...]) -> list[StallTrace]:
        """On the thread. Those of a storm take seconds: nobody waits for them who leaves."""
        return [interpreter.trace(raw, self._symbols or self._told) for raw in raws if not self._closing.is_set()]

    def collect(self, until_ns: int) -> tuple[tuple[StallTrace, ...], Tracer | None]:
        """What became ready since the last time, of writes planned until then; the tracer when it has changed.

        Frames may lag behind the engine's reports: no trace comes before its stall.
        """
        done = tuple(trace for trace in self._done if trace.planned_ns <= until_ns)
        self._done = [trace for trace in self._done if trace.planned_ns > until_ns]
        tracer, self._tracer = self._tracer, None
        return done, tracer

    @property
    def awaited_ns(self) -> int | None:
        """The earliest plan of a write whose records are still being read; None when none are."""
        reading = (raws for task, raws in self._waiting.items() if not task.done())  # it is taken out a moment after
        return min((raw.planned_ns for raws in reading for raw in raws), default=None)

    def take_notices(self) -> list[str]:
        notices, self._notices = self._notices, []
        return notices

    def take_losses(self) -> Mapping[str, int]:
        """Stalls without evidence (``traces``) and lost perf records (``records``) since the last time."""
        losses, self._losses = self._losses, Counter()
        return +losses

    async def close(self) -> None:
        self._closing.set()
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)
