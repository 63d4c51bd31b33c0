"""What an engine with fewer rights still tells of a stall, for real: chains, switches, nothing; and what shows more."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.causes.catch import SCRATCH
from tests.causes.experiments import SMALL
from tests.causes.rig import Disk, Impossible, Rig, rig_on
from wlat_tui import engine_client
from wlat_tui.causes import Confidence, blind_causes
from wlat_tui.evidence import TraceLevel, Tracer
from wlat_tui.model.session import Session
from wlat_tui.model.stalls import Explained
from wlat_tui.sources import live
from wlat_tui.sources.live import LiveSource

pytestmark = pytest.mark.root
PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
PATIENCE_S = 90.0
FROZEN_NS = 100_000_000
ORDINARY = """
import ctypes, os, platform
from wlat_tui.engine import run_engine

libc = ctypes.CDLL(None, use_errno=True)

class Step(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]

class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("steps", ctypes.POINTER(Step))]

def forbid(number):
    # load the system call's number; this one: EPERM; others: as ever (include/uapi/linux/seccomp.h, filter.h)
    steps = (Step * 4)(Step(0x20, 0, 0, 0), Step(0x15, 0, 1, number), Step(0x06, 0, 0, 0x50001), Step(0x06, 0, 0, 0x7FFF0000))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(Program(4, steps)), 0, 0) == 0, ctypes.get_errno()

directory = os.open(".", os.O_RDONLY)
os.fchmod(directory, 0o777)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
if FORBIDDEN:
    forbid({"x86_64": 298, "aarch64": 241}[platform.machine()])
run_engine(directory, 0, 1)
"""


@dataclass(frozen=True)
class Seen:
    """What came of a filesystem that was frozen under an ordinary user's writer."""

    stall: Explained
    tracer: Tracer

    @property
    def blind_to(self) -> set[str]:
        return {cause.name for cause in blind_causes(self.tracer)}


@contextlib.contextmanager
def paranoid(value: int) -> Iterator[None]:
    try:
        before = PARANOID.read_text()
        PARANOID.write_text(str(value))
    except OSError as error:
        pytest.skip(f"{PARANOID} cannot be set here: {error.strerror}")
    try:
        yield
    finally:
        PARANOID.write_text(before)


async def seen_by_an_ordinary_user(
    monkeypatch: pytest.MonkeyPatch, scratch: Path, wanted: Callable[[Explained], bool], *, perf_forbidden: bool = False
) -> Seen:
    """The first stall as long as the freezing that is as wanted: on a busy machine there are others."""
    program = f"FORBIDDEN = {perf_forbidden}\n{ORDINARY}"
    monkeypatch.setattr(engine_client, "engine_command", lambda: (sys.executable, "-c", program))
    monkeypatch.setattr(live, "privilege", lambda _sudo: "user")
    try:
        with rig_on(Disk(), scratch) as rig:
            return await _first(rig, wanted)
    except Impossible as why:
        pytest.skip(str(why))


async def _first(rig: Rig, wanted: Callable[[Explained], bool]) -> Seen:
    session = Session()
    source = LiveSource(SMALL, rig.directory, read_only=True, sudo=False)
    try:
        async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(source.frames()) as frames:  # type: ignore[type-var]
            with contextlib.ExitStack() as load:
                freezing = False
                async for frame in frames:
                    session.fold(frame)
                    if not freezing and frame.writer is not None and sum(frame.writer.writes):
                        load.enter_context(rig.hurting("freeze", rig.directory, 200, 200))
                        freezing = True
                    for stall in session.explained:
                        slow, tracer = stall.write.service_ns > FROZEN_NS, session.tracer
                        # the first where something is traced may be one that was not
                        if slow and tracer is not None and stall.verdict.level == tracer.level and wanted(stall):
                            return Seen(stall, tracer)
    finally:
        await source.close()
    raise AssertionError("the source ended")


async def test_paranoid_1_tells_where_the_writer_slept_without_tracefs(monkeypatch: pytest.MonkeyPatch, disk: Path) -> None:
    with paranoid(1):
        seen = await seen_by_an_ordinary_user(
            monkeypatch, disk, lambda stall: stall.verdict.cause == "frozen" and stall.verdict.explained_pct > 90
        )
    assert seen.tracer.level is TraceLevel.CHAINS
    assert seen.stall.verdict.main.confidence is Confidence.TRACED
    assert "list_lock" in seen.blind_to
    assert not {"frozen", "jbd2_transaction", "preempted"} & seen.blind_to
    assert seen.tracer.fix == "wlat --sudo"


async def test_paranoid_2_tells_that_it_slept_and_not_why(monkeypatch: pytest.MonkeyPatch, disk: Path) -> None:
    with paranoid(2):
        seen = await seen_by_an_ordinary_user(
            monkeypatch, disk, lambda stall: stall.verdict.cause == "blocked" and stall.verdict.explained_pct < 10
        )
    assert seen.tracer.level is TraceLevel.SWITCHES
    assert {"list_lock", "frozen", "jbd2_transaction"} <= seen.blind_to
    assert "preempted" not in seen.blind_to
    assert seen.tracer.fix == "wlat --sudo"


async def test_without_perf_events_the_stall_is_measured_and_stays_unexplained(
    monkeypatch: pytest.MonkeyPatch, disk: Path
) -> None:
    """As in a container whose seccomp profile refuses them."""
    seen = await seen_by_an_ordinary_user(
        monkeypatch, disk, lambda stall: stall.verdict.cause == "unexplained", perf_forbidden=True
    )
    assert seen.tracer.level is TraceLevel.NOTHING
    assert seen.stall.verdict.level is TraceLevel.NOTHING
    assert {"list_lock", "frozen", "preempted"} <= seen.blind_to
    assert "steal" not in seen.blind_to
    assert seen.tracer.why == "perf events are refused here: Operation not permitted"
    assert seen.tracer.fix == "docker run --cap-add PERFMON ..."


@pytest.fixture
def disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=SCRATCH, prefix="wlat-levels-") as scratch:
        Path(scratch).chmod(0o755)
        yield Path(scratch)
