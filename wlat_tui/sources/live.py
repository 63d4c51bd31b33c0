"""This host, now: the engine's ticks joined with what the kernel says at that moment."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from wlat_tui.aside import PLACE, step_aside
from wlat_tui.engine_client import Engine, EngineError
from wlat_tui.frame import Frame, Host, KnobState, Mark, Settings, WriterTick
from wlat_tui.keeper_client import Keeper, Knobs, ReadOnlyKnobs, open_knobs
from wlat_tui.kernel.cpulist import format_cpulist
from wlat_tui.kernel.process import process_of
from wlat_tui.listing import NAME as LISTING
from wlat_tui.sources import ChangeSettings, DropCaches, Outcome, ReadZones, Request, SetKnob
from wlat_tui.sources.cost import CostMeter
from wlat_tui.sources.difference import difference
from wlat_tui.sources.elsewhere import ChangesElsewhere
from wlat_tui.sources.readings import NOTHING, Readings
from wlat_tui.sources.stall_traces import StallTraces
from wlat_tui.sudo import refusal
from wlat_tui.watch_client import Told, Watcher

NO_SEGMENT = 1
"""enum wl_trouble: no file to write to."""
STARTING = "the keeper is still starting: try again in a moment"
"""Why settings cannot be changed in the first moments."""
READ_AT_LEAST_NS = 1_000_000_000
"""On a host too slow for a frame per report."""
KNOBS_EVERY_S = 2.0
PLACE_EVERY_NS = 1_000_000_000
"""A writer that is not pinned may move."""
LATE_NS = 1_000_000_000
"""Behind the writer's reports: then the CPUs that are left are too few for the screen."""
RESTART_DELAYS_S = (1.0, 5.0, 30.0)
"""Pauses before a dead engine is started again; the last one repeats."""


def privilege(sudo: bool) -> str:
    """What engine, keeper and watcher run as."""
    return "root" if os.geteuid() == 0 else "sudo" if sudo else "user"


class LiveSource:
    """Frames of this host. One per process: it owns the engine, the keeper and the watcher."""

    def __init__(self, settings: Settings, directory: Path, *, read_only: bool, sudo: bool) -> None:
        self.description = "live"
        self.read_only: str | None = None
        self.farewell: str | None = None
        self._first_settings = self._settings = settings
        self._directory = directory
        self._no_changes = read_only
        self._sudo = sudo
        self._readings = Readings(directory, privilege(sudo))
        self._traces = StallTraces(self)
        self._listing = False
        self._writer_tid = 0
        self._engine: Engine | None = None
        self._knobs: Knobs | None = None
        self._watcher = Watcher(directory, sudo=sudo, opens=settings.watch_opens)
        self._engine_pids: tuple[int, int | None] = 0, None
        self._knob_states: Mapping[str, KnobState] | None = None
        self._knobs_changed = asyncio.Event()
        self._tick: asyncio.Queue[WriterTick | str] = asyncio.Queue()
        self._marks: list[Mark] = []
        self._notices: list[str] = []
        self._settings_told = False
        self._zones_asked = self._stalled = False
        self._read_ns = self._placed_ns = 0
        self._closing = False
        self._seq: int | None = None
        self._online: tuple[int, ...] | None = None
        self._costs = CostMeter()

    async def frames(self) -> AsyncIterator[Frame]:
        """One frame at once, then one per engine tick; without an engine, one per tick time with the reason."""
        step_aside()
        begin_ns = time.monotonic_ns()
        missing: str | None = "the engine is starting"
        working: list[asyncio.Task[None]] = []
        try:
            # what the kernel says can be drawn before two more processes compete with the screen for the CPUs
            now_ns = time.monotonic_ns()
            first = self._frame(begin_ns, now_ns, None, missing)
            await self._pin_again(first.host)
            yield first
            begin_ns = now_ns
            working = [asyncio.create_task(self._feed()), asyncio.create_task(self._watch_knobs())]
            while not self._closing:
                arrived = await self._next_tick()
                if len(working) == 2 and self._seq is not None:  # once there are figures to look at
                    working.append(asyncio.create_task(self._watcher.keep()))
                for task in working:
                    if task.done() and not task.cancelled():
                        task.result()  # a defect there must not look like a quiet engine
                now_ns = time.monotonic_ns()
                tick = arrived if isinstance(arrived, WriterTick) else None
                if arrived is not None:
                    missing = arrived if isinstance(arrived, str) else None
                self._step_off(tick, now_ns)
                frame = self._frame(begin_ns, now_ns, tick, missing)
                await self._pin_again(frame.host)
                yield frame
                begin_ns = now_ns
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    async def apply(self, request: Request) -> Outcome:
        match request:
            case ChangeSettings(settings, name, text):
                return await self._change_settings(settings, name, text)
            case ReadZones():
                self._zones_asked = True
                return Outcome(True, "/proc/zoneinfo is read with the next frame")
            case SetKnob() | DropCaches() if self._knobs is None:
                return Outcome(False, STARTING)
            case SetKnob(knob, value):
                outcome = await self._knobs.set(knob, value)
            case DropCaches():
                outcome = await self._knobs.drop_caches()
        self._marks += self._knobs.take_marks()
        self._knobs_changed.set()
        return outcome

    async def close(self) -> None:
        """End the engine and have every knob put back, both at once. Idempotent."""
        self._closing = True
        PLACE.keep_off()
        engine, self._engine = self._engine, None
        knobs, self._knobs = self._knobs, None
        ending = [part for part in (engine and engine.stop(), knobs and knobs.close(), self._watcher.close()) if part]
        for ended in await asyncio.gather(*ending, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
            if isinstance(ended, Outcome) and not ended.ok:
                self.farewell = ended.message
            elif isinstance(ended, str):
                self.farewell = self.farewell or ended
        await self._traces.close()
        self._readings.close()

    async def functions(self, addresses: Sequence[int]) -> Sequence[str]:
        """Names of kernel functions, from the keeper if it is there."""
        return () if self._knobs is None else await self._knobs.functions(addresses)

    async def listing(self, from_ns: int, to_ns: int) -> str:
        """The functions of this span, from the keeper if it is there and lists them."""
        return "" if self._knobs is None or not self._listing else await self._knobs.listing(from_ns, to_ns)

    async def _change_settings(self, settings: Settings, name: str, text: str) -> Outcome:
        if self._engine is None:
            return Outcome(False, "the engine is not running")
        try:
            await self._engine.change(settings)
        except (ValueError, EngineError) as error:
            return Outcome(False, str(error))
        self._watcher.trace_opens(settings.watch_opens)
        before, after = difference(self._settings, settings)
        self._settings, self._settings_told = settings, False
        kind = "restored" if settings == self._first_settings else "applied"
        self._marks.append(Mark(time.monotonic_ns(), kind, name, before, after, text))
        return Outcome(True, text)

    async def _pin_again(self, host: Host | None) -> None:
        """When CPUs came or went: the kernel lets a thread run anywhere once its CPUs are offline, also when they are back."""
        if host is None:
            return
        before, self._online = self._online, host.cpus_online
        cpus, engine = self._settings.cpus, self._engine
        if before in (None, host.cpus_online) or not cpus or engine is None:
            return
        try:
            await engine.change(self._settings)
        except EngineError:
            return  # it has ended; whoever reads its reports says so
        online = format_cpulist(host.cpus_online)
        self._notices.append(f"CPUs {online} are online now: pinning the writer to {format_cpulist(cpus)} is asked for again")

    def _step_off(self, tick: WriterTick | None, now_ns: int) -> None:
        """Leave the CPUs that the writer is pinned to, else the one it was last seen on, to the writer."""
        if tick is None or self._closing or now_ns - self._placed_ns < PLACE_EVERY_NS:
            return
        self._placed_ns = now_ns
        late = now_ns - tick.end_ns > LATE_NS
        PLACE.keep_off(*() if late else (frozenset(self._settings.cpus), frozenset({tick.cpu})))

    async def _next_tick(self) -> WriterTick | str | None:
        """The engine's next report, why there is none, or None when it is merely late."""
        try:
            return await asyncio.wait_for(self._tick.get(), 1.5 * self._settings.tick_ns / 1e9)
        except TimeoutError:
            return None

    async def _feed(self) -> None:
        """Keep an engine running and queue what it says; a dead one is started again after a pause."""
        sudo = self._sudo
        for attempt in count():
            try:
                self._engine = engine = await Engine.start(self._settings, self._directory, sudo=sudo)
                try:
                    async for report in engine.reports():
                        tick = report.tick
                        self._writer_tid = tick.tid
                        self._traces.take(report, privilege(sudo))
                        self._tick.put_nowait(tick)
                        # the engine holds on to the directory it was started in, also when that was removed
                        if tick.trouble == NO_SEGMENT and tick.error == errno.ENOENT and self._directory.is_dir():
                            raise EngineError(f"{self._directory} was removed and made anew")
                finally:
                    await engine.stop()
            except EngineError as error:
                reason = str(error)
            else:
                return  # it was asked to end
            self._engine = None
            if sudo and (refused := refusal(reason) or (None if shutil.which("sudo") else "sudo is not installed")):
                sudo = False
                self._readings.set_privilege(privilege(sudo))
                self._notices.append(f"{refused}: wlat goes on without root (3, then Enter says what helps)")
                continue
            pause_s = RESTART_DELAYS_S[min(attempt, len(RESTART_DELAYS_S) - 1)]
            self._notices.append(f"{reason}; it is started again in {pause_s:g} s")
            self._tick.put_nowait(reason)
            await asyncio.sleep(pause_s)

    async def _watch_knobs(self) -> None:
        """Start the keeper, then ask how the settings stand: at once when one was changed here, else every other second."""
        self._knob_states = states = await ReadOnlyKnobs(STARTING).state()
        elsewhere = ChangesElsewhere()
        elsewhere.marks(states, ())
        self._knobs = knobs = await open_knobs(sudo=self._sudo, read_only=self._no_changes)
        while not self._closing:
            states = await knobs.state()
            await self._follow_listing(knobs, states)
            self._knob_states = states
            marks = knobs.take_marks()
            self._marks += (*marks, *elsewhere.marks(states, {mark.name for mark in marks}))
            self._notices += knobs.take_notices()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._knobs_changed.wait(), KNOBS_EVERY_S)
            self._knobs_changed.clear()

    async def _follow_listing(self, knobs: Knobs, states: Mapping[str, KnobState]) -> None:
        """Whether functions are listed, and of today's writer: an engine that was started again has another."""
        state = states.get(LISTING)
        self._listing = state is not None and state.original is not None
        if state is not None and self._listing and self._writer_tid and state.current != str(self._writer_tid):
            await knobs.set(LISTING, str(self._writer_tid))

    def _frame(self, begin_ns: int, now_ns: int, tick: WriterTick | None, missing: str | None) -> Frame:
        self._stalled |= tick is not None and tick.stall_count > 0
        reading = NOTHING
        # a report that others wait behind is of a moment that is over: what the kernel says now belongs to the newest, except
        # where there is always another one waiting
        if self._tick.empty() or now_ns - self._read_ns >= READ_AT_LEAST_NS:
            self._read_ns = now_ns
            reading = self._readings.read(now_ns, stalled=self._stalled, zones_asked=self._zones_asked)
            self._zones_asked = self._stalled = False
        knobs, self._knob_states = self._knob_states, None
        marks, self._marks = tuple(self._marks), []
        end_ns = now_ns if tick is None else tick.end_ns
        traces, tracer = self._traces.collect(end_ns)
        notices, self._notices = (*self._notices, *reading.notices, *self._traces.take_notices()), []
        told, self._settings_told = self._settings_told, True
        seen, unseen = self._take_watched(tick)
        notices += unseen
        return Frame(
            begin_ns=begin_ns if tick is None else tick.begin_ns,
            end_ns=end_ns,
            wall_ns=time.time_ns() if tick is None else tick.wall_ns,
            writer=tick,
            writer_missing=None if tick is not None else missing or "the engine has not reported yet",
            host=reading.host,
            settings=None if told else self._settings,
            nodes=reading.nodes,
            zones=reading.zones,
            vmstat=reading.vmstat,
            pressure=reading.pressure,
            cpu_times=reading.cpu_times,
            disturbances=seen.disturbances,
            watches=seen.watches,
            knobs=knobs,
            cost=self._costs.take(now_ns, tick, self._readings.spent_ns, PLACE.avoided),
            marks=marks,
            losses=self._losses(tick, seen.lost),
            notices=notices,
            traces=traces,
            traces_awaited_ns=self._traces.awaited_ns,
            tracer=tracer,
        )

    def _take_watched(self, tick: WriterTick | None) -> tuple[Told, tuple[str, ...]]:
        """What the watcher saw, after telling it which processes are wlat's own and where the writer runs."""
        if tick is not None and tick.tid != self._engine_pids[0]:
            self._engine_pids = tick.tid, process_of(tick.tid)
        keeper = self._knobs.pid if isinstance(self._knobs, Keeper) else None
        self._watcher.own(
            frozenset(pid for pid in (self._engine_pids[1], keeper) if pid is not None), tuple(sorted(PLACE.avoided))
        )
        return self._watcher.take()

    def _losses(self, tick: WriterTick | None, disturbances: int) -> Mapping[str, int]:
        """What this report says was dropped."""
        losses: Counter[str] = Counter(disturbances=disturbances)
        if tick is not None:
            if self._seq is not None and tick.seq > self._seq + 1:
                losses["late_ticks"] = tick.seq - self._seq - 1
            self._seq = tick.seq
            losses["stalls"] = tick.stalls_lost
        losses.update(self._traces.take_losses())
        return +losses
