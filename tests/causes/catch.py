"""Run one experiment and keep what wlat said about its stalls."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from tests.causes.background import Background
from tests.causes.experiments import Experiment
from tests.causes.rig import Impossible, Rig, rig_on, without_locked_memory
from wlat_tui.evidence import TraceLevel
from wlat_tui.frame import Frame, Settings
from wlat_tui.model.session import Session
from wlat_tui.model.stalls import Explained
from wlat_tui.sources import ChangeSettings
from wlat_tui.sources.live import LiveSource

SCRATCH = Path(os.environ.get("WLAT_SCRATCH", "/var/tmp"))
"""A real filesystem, also where /tmp is a tmpfs."""
START_S, WARM_UP_S = 60.0, 1.0


@dataclass(frozen=True, slots=True)
class Caught:
    """The stalls of one experiment, from the moment it was under way."""

    experiment: Experiment
    stalls: tuple[Explained, ...]
    pids: tuple[int, ...]
    """Of the load."""
    gaps: int
    seconds: float
    before: tuple[Explained, ...] = ()
    """Those of the span before the load began: what this host makes by itself."""
    before_s: float = 0.0
    windows: tuple[tuple[int, int], ...] = ()
    """Spans (ns) in which the engine was stopped, where that is what the load does."""
    background_ns: int | None = None
    """p99.9 of write() without the load, where that chose the threshold (`Experiment.above_background`)."""

    @property
    def without_load(self) -> int | None:
        """How many there would have been in the same time without the load; None: not looked at."""
        return round(len(self.before) * self.seconds / self.before_s) if self.before_s else None

    @property
    def counts(self) -> Counter[str]:
        return Counter(stall.verdict.cause for stall in self.stalls)

    @property
    def right(self) -> tuple[Explained, ...]:
        """Those named as expected."""
        return tuple(stall for stall in self.stalls if stall.verdict.cause in self.experiment.expected)

    @property
    def explained_pct(self) -> float | None:
        """Share of the time of the rightly named that is explained; None: there are none."""
        whole = sum(stall.verdict.span_ns for stall in self.right)
        return 100 * sum(stall.verdict.explained_ns for stall in self.right) / whole if whole else None

    @property
    def by_load(self) -> int:
        """Rightly named stalls whose main phase names the load's own process."""
        return sum(map(self.names_load, self.right))

    def names_load(self, stall: Explained) -> bool:
        """Whether the stall names a process of the load: who had the CPU, or who was seen reading, syncing, dirtying."""
        by = stall.culprit
        return by is not None and by.pid in self.pids


async def catch(
    experiment: Experiment, seconds: float, enough: Callable[[Caught], bool] = lambda _: False, before_s: float = 0.0
) -> Caught:
    """Run it until enough was caught, at most so long under load, and *before_s* without it before.

    Raises:
        Impossible: it cannot be made here (one sentence).
    """
    if experiment.locked:
        return await _catch(experiment, seconds, enough, before_s)
    with ThreadPoolExecutor(1) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, _catch_unlocked, experiment, seconds, enough, before_s)


def _catch_unlocked(experiment: Experiment, seconds: float, enough: Callable[[Caught], bool], before_s: float) -> Caught:
    with without_locked_memory():
        return asyncio.run(_catch(experiment, seconds, enough, before_s))


async def _catch(experiment: Experiment, seconds: float, enough: Callable[[Caught], bool], before_s: float) -> Caught:
    with (
        tempfile.TemporaryDirectory(dir=SCRATCH, prefix="wlat-causes-") as scratch,
        rig_on(experiment.disk, Path(scratch)) as rig,
    ):
        settings = experiment.settings
        if experiment.pinned:
            settings = replace(settings, cpus=(max(os.sched_getaffinity(0)),))
        source = LiveSource(settings, rig.directory, read_only=True, sudo=False)
        try:
            return await _run(experiment, source, rig, seconds, enough, before_s)
        finally:
            await source.close()


async def _run(
    experiment: Experiment, source: LiveSource, rig: Rig, seconds: float, enough: Callable[[Caught], bool], before_s: float
) -> Caught:
    session = Session()
    caught = Caught(experiment, (), (), 0, 0.0)
    found: dict[int, Explained] = {}
    quiet_ns = began_ns = ended_ns = 0
    loading: asyncio.Task[list[int]] | None = None
    background = Background()
    started_s = time.monotonic()
    # what the source still does must have ended before its processes are
    async with aclosing(source.frames()) as frames:
        with ExitStack() as load:
            async for frame in frames:
                session.fold(frame)
                if began_ns:
                    until_ns = ended_ns or time.monotonic_ns()
                    passed_s = (until_ns - began_ns) / 1e9
                    # the session forgets the oldest
                    found |= {stall.write.planned_ns: stall for stall in session.explained}
                    stalls = tuple(stall for stall in found.values() if _counts(stall, experiment, began_ns, until_ns))
                    gaps = sum(began_ns <= gap.begin_ns < until_ns for gap in session.gaps)
                    caught = replace(caught, stalls=stalls, gaps=gaps, seconds=passed_s, windows=tuple(rig.stopped))
                    if enough(caught):
                        break
                    if passed_s > seconds and not ended_ns:
                        ended_ns = time.monotonic_ns()
                        # off the loop: frames must not queue up meanwhile
                        await asyncio.to_thread(load.close)
                    if ended_ns and not any(planned_ns < ended_ns for planned_ns in session.awaiting_verdict):
                        break
                elif loading is not None:
                    # a load may take a while to build: frames must not queue up meanwhile
                    if loading.done():
                        caught = replace(caught, pids=tuple(loading.result()))
                        began_ns = time.monotonic_ns()
                elif _ready(frame, session, time.monotonic() - started_s):
                    quiet_ns = quiet_ns or time.monotonic_ns()
                    background.take(frame)
                    found |= {stall.write.planned_ns: stall for stall in session.explained}
                    passed_s = (time.monotonic_ns() - quiet_ns) / 1e9
                    if passed_s < before_s:
                        continue
                    if experiment.above_background:
                        experiment = await _above(background, experiment, source, session.settings)
                        caught = replace(caught, experiment=experiment, background_ns=background.p999_ns)
                    elif before_s:
                        before = tuple(s for s in found.values() if _counts(s, experiment, quiet_ns, time.monotonic_ns()))
                        caught = replace(caught, before=before, before_s=passed_s)
                    assert frame.writer is not None
                    tid = frame.writer.tid
                    rig.writer_tid, rig.writer_cpu, rig.engine_pid = tid, frame.writer.cpu, _process_of(tid)
                    loading = asyncio.create_task(asyncio.to_thread(load.enter_context, experiment.load(rig)))
    return caught


async def _above(background: Background, experiment: Experiment, source: LiveSource, now: Settings) -> Experiment:
    """The experiment with a threshold that the background does not reach; it is in force."""
    threshold_ns = background.threshold_ns(experiment.settings.threshold_ns)
    outcome = await source.apply(ChangeSettings(replace(now, threshold_ns=threshold_ns), "threshold", "above the background"))
    assert outcome.ok, outcome.message
    return replace(experiment, settings=replace(experiment.settings, threshold_ns=threshold_ns))


def _counts(stall: Explained, experiment: Experiment, began_ns: int, until_ns: int) -> bool:
    slow = experiment.platform or stall.write.service_ns > experiment.settings.threshold_ns
    return slow and began_ns <= stall.write.planned_ns < until_ns


def _ready(frame: Frame, session: Session, waited_s: float) -> bool:
    """Whether the writer writes and is traced. Raises Impossible when it never does, or cannot be traced fully."""
    writes = frame.writer is not None and sum(frame.writer.writes) > 0
    if session.tracer is not None and session.tracer.level < TraceLevel.FULL:
        raise Impossible(f"not everything can be traced here: {session.tracer.why}")
    if waited_s > START_S and not (writes and session.tracer is not None):
        raise Impossible(f"the engine does not write, or is not traced: {session.writer_missing}")
    return writes and session.tracer is not None and waited_s > WARM_UP_S


def _process_of(tid: int) -> int:
    for line in Path(f"/proc/{tid}/status").read_text().splitlines():
        if line.startswith("Tgid:"):
            return int(line.split()[1])
    raise Impossible("the engine is gone")
