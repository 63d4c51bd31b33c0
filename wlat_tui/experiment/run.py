"""Playing a plan: one frame after the other, each side in its turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from wlat_tui.experiment.plan import Plan, PlanError, Side, line_of
from wlat_tui.frame import Frame, Mark, Prewarm, Settings, WriteClass, WriterTick
from wlat_tui.kernel import ROOT
from wlat_tui.loads import Load, Running
from wlat_tui.mitigations import Mitigation, catalogue
from wlat_tui.model.phases import KIND, MEASURED, OVER, WARM_UP
from wlat_tui.model.session import Session
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sources import ChangeSettings, Outcome, Request, SetKnob, Source
from wlat_tui.units import format_ns

READY_S = 120.0
"""For the engine's first report and the keeper's; a host under pressure takes its time."""
HOLD_S = 180.0
"""For a setting to be in force and a load to have its effect, beside two segments' time."""


class ExperimentError(Exception):
    """It cannot start, or cannot go on. The message is one sentence."""


def orders(plan: Plan, sides: Sequence[Side], seed: int) -> list[list[Side]]:
    """Whose turn it is: per round every side once, in an order drawn anew, so that what drifts favours nobody."""
    draw = Random(seed)
    return [draw.sample(list(sides), len(sides)) for _ in range(plan.rounds)]


class Experiment:
    """One experiment on one source. `prepare`, then `play`; `close` ends its loads, always.

    Args:
        plan: checked.
        source: owned by the caller, who closes it.
        directory: for the files of loads; None: a made-up host, which is under load by itself.
        say: takes progress, a sentence each.
    """

    def __init__(self, plan: Plan, source: Source, directory: Path | None, say: Callable[[str], None]) -> None:
        self.session = Session()
        self.warnings: list[str] = []
        """What was asked for and is not so, a sentence each."""
        self._plan, self._source, self._directory, self._say = plan, source, directory, say
        self._mitigations = {mitigation.name: mitigation for mitigation in catalogue()}
        self._running: dict[Load, Running] = {}
        self._recorder: Recorder | None = None
        self._unrecorded: list[Frame] = []
        self._marks: list[Mark] = []
        self._first: dict[str, str] = {}
        self._frames: AsyncIterator[Frame] = source.frames()

    async def prepare(self, starting: str) -> list[Side]:
        """Wait until the host is known, and find out what can run here.

        Args:
            starting: the reason by which settings are unavailable only until the keeper has started.

        Returns:
            The sides that can run; why others cannot is in `warnings`.

        Raises:
            PlanError: a value is none (line given).
            ExperimentError: fewer than two sides can run here.
        """
        await self._until(lambda: self._known(starting), READY_S, "engine and keeper have not reported")
        for name in self._plan.toggles:
            self._first[name] = self._mitigations[name].current(self.session) or ""
        can, reasons = [], []
        for number, side in enumerate(self._plan.sides):
            if (why := self._refusal(number, side)) is None:
                can.append(side)
            else:
                reasons.append(f"side '{side.name}' cannot run: {why}")
        if len(can) < 2:
            raise ExperimentError("; ".join(reasons))
        self.warnings += reasons
        return can

    async def play(self, order: list[list[Side]], recorder: Recorder) -> str:
        """Every phase of every round into the recording; returns why it ended. Raises ExperimentError, LoadError."""
        self._recorder = recorder
        for frame in self._unrecorded:
            recorder.take(frame)
        self._unrecorded.clear()
        for number, sides in enumerate(order, 1):
            for side in sides:
                await self._phase(number, len(order), side)
        await self._next()  # carries the last mark
        return "every phase was played"

    def close(self) -> None:
        """End every load. Idempotent."""
        while self._running:
            self._running.popitem()[1].stop()

    async def _phase(self, number: int, rounds: int, side: Side) -> None:
        self._say(f"round {number} of {rounds}, side '{side.name}'")
        self._mark(number, side, WARM_UP)
        self._set_loads(side)
        for name in self._plan.toggles:
            await self._set(side, name)
        await self._settle(side)
        self._mark(number, side, MEASURED)
        begin_ns, written, began_ns = self.session.now_ns, sum(self.session.writes), self._clock_ns()
        # late frames may come all at once; what the kernel counted in a phase is read when they come
        while not self._over(begin_ns, written) or self._clock_ns() - began_ns < (self._plan.phase_ns or 0):
            await self._next()
        self._note_refusals(side)  # at the end: what had been prepared for the side before is used up
        self._mark(number, side, OVER)

    async def _settle(self, side: Side) -> None:
        """Until the side is as asked, for its warm-up at least. Raises ExperimentError.

        On a busy host frames come late: those of before the settings were changed, or of before the loads had their effect, are
        not this side's.
        """
        begin_ns = self._clock_ns()
        waiting, settled, from_ns = self._segments_s() + HOLD_S, set[Load](), begin_ns + self._plan.warm_up_ns
        while not (self._in_force() and len(settled) == len(side.loads)) or self.session.now_ns < from_ns:
            if self._since(begin_ns) > self._plan.warm_up_ns + waiting * 1e9:
                raise ExperimentError(self._not_settled(side, settled, waiting))
            await self._next()
            if now := {load for load in side.loads if load not in settled and (self._made_up or self._settled(load))}:
                settled |= now
                from_ns = max(from_ns, self._clock_ns())

    def _clock_ns(self) -> int:
        """A made-up host has a time of its own."""
        return self.session.now_ns if self._made_up else time.monotonic_ns()

    def _over(self, begin_ns: int, written: int) -> bool:
        if self._plan.phase_writes is not None:
            limit_s = HOLD_S + 10 * self._plan.phase_writes * self.session.settings.interval_ns / 1e9
            if self._since(begin_ns) > limit_s * 1e9:
                raise ExperimentError(f"{self._plan.phase_writes} writes were not done within {limit_s:.0f} s")
            return sum(self.session.writes) - written >= self._plan.phase_writes
        return self._since(begin_ns) >= (self._plan.phase_ns or 0)

    def _since(self, begin_ns: int) -> int:
        return self.session.now_ns - begin_ns

    def _settled(self, load: Load) -> bool:
        return self._running[load].at_work and load.settled(self.session)

    @property
    def _made_up(self) -> bool:
        return self._directory is None

    def _set_loads(self, side: Side) -> None:
        for load in [load for load in self._running if load not in side.loads]:
            self._running.pop(load).stop()
        if self._directory is None:
            return
        for load in side.loads:
            if load not in self._running:
                self._running[load] = Running(load, self._directory)

    async def _set(self, side: Side, name: str) -> None:
        """One toggle as this side wants it. Raises ExperimentError when it is refused."""
        request = self._request(self._mitigations[name], side)
        if request is None:
            return
        asked = asyncio.ensure_future(self._source.apply(request))
        try:
            # the keeper raises some settings in steps, with pauses: the writer's reports must not wait for that
            while not asked.done():
                await self._next()
            outcome: Outcome = asked.result()
        finally:
            asked.cancel()
        if not outcome.ok:
            raise ExperimentError(f"side '{side.name}': {outcome.message}")
        if isinstance(request, ChangeSettings):
            wanted = request.settings
            await self._until(lambda: self.session.settings == wanted, READY_S, f"the writer has not taken {name}")

    def _request(self, mitigation: Mitigation, side: Side) -> Request | None:
        """What brings this side's value about, from what is now; None: it is so already."""
        value = side.toggles.get(mitigation.name)
        if mitigation.knob is None:
            request = mitigation.request(self._first[mitigation.name] if value is None else value, self.session)
            return None if isinstance(request, ChangeSettings) and request.settings == self.session.settings else request
        request = mitigation.request("original" if value is None else value, self.session)
        state = self.session.knobs[mitigation.knob.name]
        assert isinstance(request, SetKnob)
        if request.value is None:
            return None if state.original is None else request
        return None if state.current == request.value else request

    def _in_force(self) -> bool:
        """Whether the writer works as asked: prewarming changes with the next segment only."""
        tick = self.session.writer
        return tick is not None and prewarm_in_force(tick, self.session.settings)

    def _segments_s(self) -> float:
        settings = self.session.settings
        return 2 * settings.segment_bytes / settings.write_bytes * settings.interval_ns / 1e9

    def _not_settled(self, side: Side, settled: set[Load], waited_s: float) -> str:
        slow = [load.name for load in side.loads if load not in settled]
        method = self.session.settings.prewarm.name.lower()
        what = f"the load {slow[0]} had no effect" if slow else f"prewarm {method} was not in force"
        return f"side '{side.name}': {what} within {format_ns(waited_s * 1e9)}"

    def _note_refusals(self, side: Side) -> None:
        for name in side.toggles:
            state = self._mitigations[name].unavailable(self.session)
            if state is not None:
                warning = f"side '{side.name}': {name} is not fully in force: {state.reason}"
                if warning not in self.warnings:
                    self.warnings.append(warning)
                    self._say(warning)

    def _known(self, starting: str) -> bool:
        knobs = self.session.knobs
        told = knobs and all(state.unavailable != starting for state in knobs.values())
        return bool(told and self.session.host is not None and self.session.writer is not None)

    def _refusal(self, number: int, side: Side) -> str | None:
        """Why this side cannot run on this host."""
        for load in side.loads:
            if self._directory is not None and (why := load.unavailable(self._directory)) is not None:
                return f"load {load.name}: {why}"
        for name, value in side.toggles.items():
            mitigation = self._mitigations[name]
            state = mitigation.unavailable(self.session)
            if state is not None and not state.refused:
                return state.reason + (f" ({state.fix})" if state.fix else "")
            if self._source.read_only is not None and mitigation.knob is not None:
                return self._source.read_only
            with self._blamed_on(number, name):
                request = mitigation.request(value, self.session)
                if mitigation.knob is not None and isinstance(request, SetKnob) and request.value is not None:
                    knob = self.session.knobs[mitigation.knob.name]
                    original = knob.original or knob.current or ""
                    if (why := mitigation.knob.refuse(request.value, ROOT, original)) is not None:
                        raise ValueError(why)
        return None

    @contextmanager
    def _blamed_on(self, number: int, name: str) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            line = line_of(self._plan.text, ("side", number, "set", name))
            raise PlanError(f"{self._plan.name}, line {line}: {error}") from error

    async def _until(self, true: Callable[[], object], limit_s: float, otherwise: str) -> None:
        try:
            async with asyncio.timeout(limit_s):
                while not true():
                    await self._next()
        except TimeoutError as error:
            raise ExperimentError(f"{otherwise} within {limit_s:g} s") from error

    async def _next(self) -> None:
        """Take one frame: recorded, folded; raises LoadError when a load is gone."""
        frame = await anext(self._frames, None)
        if frame is None:
            raise ExperimentError("there are no more frames")
        if self._marks:
            frame = replace(frame, marks=(*frame.marks, *self._marks))
            self._marks = []
        if self._recorder is None:
            self._unrecorded.append(frame)
        else:
            self._recorder.take(frame)
        self.session.fold(frame)
        for notice in frame.notices:
            self._say(notice)
        for load in self._running.values():
            load.check()

    def _mark(self, number: int, side: Side, what: str) -> None:
        text = f"round {number}, side '{side.name}': {what}"
        self._marks.append(Mark(self.session.now_ns, KIND, side.name, str(number), what, text))


def prewarm_in_force(tick: WriterTick, settings: Settings) -> bool:
    """Whether the segment being written was prepared as the settings ask."""
    if tick.refused.get("prewarm") and tick.precursor.method is not settings.prewarm:
        return True  # it never will be; that it is refused is said
    new, prepared = tick.writes[WriteClass.NEW_PAGE], tick.writes[WriteClass.PREPARED]
    prepares = settings.prewarm in (Prewarm.READ, Prewarm.WRITE)
    return tick.precursor.method is settings.prewarm and (prepared > new if prepares else prepared == 0)
