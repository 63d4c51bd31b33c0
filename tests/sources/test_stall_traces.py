"""Perf records of the engine become evidence; what cannot be seen here is said."""

from __future__ import annotations

import asyncio
import errno
import os
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernel.test_perf_records import KERNEL_MARK, sample
from tests.kernel.test_tracepoints import SWITCH
from tests.model.makers import a_tick
from wlat_tui import engine_client
from wlat_tui.engine_client import Engine
from wlat_tui.evidence import StallTrace, TraceLevel, Tracer
from wlat_tui.frame import Settings, Write
from wlat_tui.kernel.kallsyms import Kallsyms
from wlat_tui.kernel.mounts import disk_refusal, read_target
from wlat_tui.native import RawProbe, RawTrace, RawTracer, Report, try_tracer
from wlat_tui.sources import stall_traces
from wlat_tui.sources.live import LiveSource
from wlat_tui.sources.stall_traces import Interpreter, StallTraces
from wlat_tui.tracing import describe

PROBES = (
    RawProbe("sched:sched_switch", 0, False, True, SWITCH),
    RawProbe("lock:contention_begin", 0, False, True, "\tfield:void * lock_addr;\toffset:8;\tsize:8;\tsigned:0;\n"),
    RawProbe("kmem:mm_page_alloc", errno.ENOENT, True, True, ""),
)
FULL = RawTracer(TraceLevel.FULL, True, False, True, 2, 0, 0, PROBES)
SYMBOLS = Kallsyms([b"ffffffff81000000 T schedule", b"ffffffff81000100 T vfs_write", b"ffffffff82000000 D slab_mutex"])
PATIENCE_S = 60


def test_records_become_named_events_in_time_order() -> None:
    switch = sample(
        0, 200, (KERNEL_MARK, 0xFFFFFFFF81000010, 0xFFFFFFFF81000100), struct.pack("=HBBi16siiq", 1, 0, 0, 5, b"me", 5, 1, 2)
    )
    lock = sample(1, 100, (), struct.pack("=QQ", 0, 0xFFFFFFFF82000000))
    trace = Interpreter(FULL).trace(RawTrace(50, 40, 300, 3, switch + lock), SYMBOLS)
    assert (trace.planned_ns, trace.from_ns, trace.to_ns, trace.lost) == (50, 40, 300, 3)
    first, second = trace.events
    assert (first.name, first.at_ns, first.texts) == ("contention_begin", 100, {"lock": "slab_mutex"})
    assert (second.name, second.texts) == ("sched_switch", {"prev_comm": "me"})
    # the second address is where the call returns to: it belongs to the function before it
    assert second.chain == ("schedule", "schedule")
    assert second.numbers["prev_state"] == 2


def test_without_symbols_the_chain_stays_addresses_and_without_fields_the_event_its_name() -> None:
    chains = replace(FULL, level=TraceLevel.CHAINS)
    trace = Interpreter(chains).trace(RawTrace(0, 0, 9, 0, sample(1, 5, (0xABC,)) + sample(9, 6)), None)
    assert [(event.name, event.chain, event.numbers) for event in trace.events] == [
        ("contention_begin", ("0xabc",), {}),
        ("unknown", (), {}),
    ]


def test_each_level_says_why_and_what_would_show_more() -> None:
    full = describe(FULL, "root")
    assert (full.level, full.why, full.fix) == (TraceLevel.FULL, None, None)
    assert [(probe.name, probe.armed, probe.deep) for probe in full.probes] == [
        ("sched:sched_switch", True, False),
        ("lock:contention_begin", True, False),
        ("kmem:mm_page_alloc", False, True),
    ]
    assert full.probes[2].why == "this kernel has no such tracepoint"
    refused = tuple(replace(probe, error=errno.EACCES) for probe in PROBES)
    switches = describe(replace(FULL, level=TraceLevel.SWITCHES, whole_cpus=False, cpus=0, probes=refused), "user")
    assert switches.fix == "wlat --sudo"
    assert switches.why is not None
    assert [probe.name for probe in switches.probes if probe.armed] == ["context_switch"]
    nothing = describe(replace(FULL, level=TraceLevel.NOTHING, whole_cpus=False, error=errno.EACCES, probes=refused), "user")
    assert not any(probe.armed for probe in nothing.probes)
    assert nothing.fix == "wlat --sudo"
    off = describe(replace(FULL, level=TraceLevel.NOTHING, traced=False), "root")
    assert off.why == "tracing is switched off (--no-trace)"


def test_what_can_be_traced_here_is_tried_out() -> None:
    tracer = describe(try_tracer(), "root")
    assert len(tracer.probes) > 20
    assert tracer.level is TraceLevel.FULL or tracer.why


async def test_where_addresses_are_hidden_somebody_else_is_asked_once(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/kallsyms").write_text("0000000000000000 T vfs_write\n")
    asked: list[int] = []

    class Keeper:
        async def functions(self, addresses: Sequence[int]) -> Sequence[str]:
            asked.extend(addresses)
            return [f"function_{address:x}" for address in addresses]

        async def listing(self, from_ns: int, to_ns: int) -> str:
            return f"listed from {from_ns} to {to_ns}"

    traces = StallTraces(Keeper(), tmp_path)
    raw = RawTrace(50, 40, 300, 0, sample(1, 100, (KERNEL_MARK, 0xA0, 0xB1), struct.pack("=QQ", 0, 0)))
    try:
        for _ in range(2):
            traces.take(Report(a_tick(1, 0, 9), (raw,), 2, FULL), "sudo")
            assert traces.awaited_ns == 50, "until it has been read"
            async with asyncio.timeout(PATIENCE_S):
                while not (done := traces.collect(50)[0]):
                    await asyncio.sleep(0.01)
            assert traces.awaited_ns is None
            assert done[0].events[0].chain == ("function_a0", "function_b0")
            assert done[0].listing == "listed from 40 to 300"
    finally:
        await traces.close()
    assert asked == [0xA0, 0xB0]
    assert traces.take_losses() == {"traces": 4}


class Nobody:
    """No keeper."""

    async def functions(self, addresses: Sequence[int]) -> Sequence[str]:
        return ()

    async def listing(self, from_ns: int, to_ns: int) -> str:
        return ""


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/kallsyms").write_text("ffffffff81000000 T schedule\n")
    return tmp_path


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


async def test_symbols_are_read_before_the_first_stall_and_no_trace_comes_before_the_frame_of_its_stall(host: Path) -> None:
    traces = StallTraces(Nobody(), host)
    try:
        traces.take(Report(a_tick(1, 0, 9), (), 0, FULL), "root")
        await until(lambda: traces._symbols is not None)
        traces.take(Report(a_tick(2, 9, 18), (RawTrace(50, 40, 300, 0, sample(9, 100, raw=b"")),)), "root")
        await until(lambda: traces.awaited_ns is None)
        assert traces.collect(49)[0] == (), "frames may lag behind reports"
        assert [trace.planned_ns for trace in traces.collect(50)[0]] == [50]
        assert traces.collect(50)[0] == ()
    finally:
        await traces.close()


async def test_records_that_pile_up_unread_are_bounded_and_counted(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall_traces, "MOST_AWAITED_BYTES", 100)
    traces = StallTraces(Nobody(), host)
    try:
        raw = RawTrace(50, 40, 300, 0, sample(9, 100, raw=b"") * 10)
        for seq in range(1, 4):  # without a pause in which they would be read
            traces.take(Report(a_tick(seq, 0, 9), (raw,), 0, FULL if seq == 1 else None), "root")
        assert traces.take_losses() == {"traces": 2}
        await until(lambda: traces.awaited_ns is None)
        assert len(traces.collect(50)[0]) == 1
    finally:
        await traces.close()


async def test_who_leaves_in_a_storm_waits_for_no_trace_that_is_unread(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, leaving, read = threading.Event(), threading.Event(), []

    def slowly(_interpreter: Interpreter, raw: RawTrace, _symbols: object) -> StallTrace:
        read.append(raw.planned_ns)
        begun.set()
        leaving.wait(PATIENCE_S)
        return StallTrace(raw.planned_ns, 0, 9, ())

    monkeypatch.setattr(Interpreter, "trace", slowly)
    traces = StallTraces(Nobody(), host)
    traces.take(Report(a_tick(1, 0, 9), tuple(RawTrace(at, 0, 9, 0, b"") for at in range(1000)), 0, FULL), "root")
    await asyncio.to_thread(begun.wait, PATIENCE_S)
    await traces.close()
    leaving.set()
    traces._thread.shutdown(wait=True)
    assert read == [0]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    target = read_target(tmp_path)
    if target is not None and (refusal := disk_refusal(target)) is not None:
        pytest.skip(f"needs a temporary directory on a disk: {refusal}")
    return tmp_path


@asynccontextmanager
async def hog(cpu: int) -> AsyncIterator[int]:
    """Takes this CPU for 20 ms out of 60, at real-time priority."""
    code = (
        "import os, time\n"
        f"os.sched_setaffinity(0, {{{cpu}}})\n"
        "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))\n"
        "while True:\n"
        "    end = time.monotonic() + 0.02\n"
        "    while time.monotonic() < end: pass\n"
        "    time.sleep(0.04)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


async def until_traced(settings: Settings, directory: Path, enough: object) -> tuple[Tracer | None, StallTrace, Write]:
    """Run until a stall's trace satisfies."""
    source = LiveSource(settings, directory, read_only=True, sudo=False)
    stalls: dict[int, Write] = {}
    tracer = None
    frames = source.frames()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for frame in frames:
                tracer = frame.tracer or tracer
                if tracer is not None and tracer.level < TraceLevel.FULL:
                    pytest.skip(f"the kernel tells too little here: {tracer.why}")
                stalls |= {stall.planned_ns: stall for stall in (frame.writer.stalls if frame.writer else ())}
                for trace in frame.traces:
                    stall = stalls.get(trace.planned_ns)
                    if stall is not None and enough(trace, stall):  # type: ignore[operator]
                        return tracer, trace, stall
    finally:
        await source.close()
        await frames.aclose()  # type: ignore[attr-defined]
    raise AssertionError("the source ended")


async def test_who_took_the_writers_cpu_is_in_the_trace(disk: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("real-time priority and the writer's events need root here")
    cpu = max(os.sched_getaffinity(0))
    settings = replace(Settings(), cpus=(cpu,), threshold_ns=5_000_000)
    async with hog(cpu) as pid:

        def ran_instead(trace: StallTrace, stall: Write) -> bool:
            return any(
                event.name == "sched_switch"
                and event.cpu == cpu
                and pid in (event.numbers["next_pid"], event.numbers["prev_pid"])
                for event in trace.events
                if trace.from_ns <= stall.planned_ns and event.at_ns <= stall.end_ns
            )

        tracer, trace, stall = await until_traced(settings, disk, ran_instead)
    assert tracer is not None
    assert all(probe.armed for probe in tracer.probes if probe.name.startswith(("sched:", "lock:")))
    assert trace.to_ns > stall.end_ns
    assert trace.events == tuple(sorted(trace.events, key=lambda event: event.at_ns))


UNPRIVILEGED = """
import os, sys
from wlat_tui.engine import run_engine
directory = os.open(".", os.O_RDONLY)
os.fchmod(directory, 0o777)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
run_engine(directory, 0, 1)
"""


async def test_without_rights_it_is_still_seen_when_the_writer_left_its_cpu(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0 or int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) != 2:
        pytest.skip(
            "needs root to become somebody without rights, and kernel.perf_event_paranoid=2, where switches are all one sees"
        )
    monkeypatch.setattr(engine_client, "engine_command", lambda: (sys.executable, "-c", UNPRIVILEGED))
    source = LiveSource(replace(Settings(), threshold_ns=1_000, interval_ns=1_000_000), disk, read_only=True, sudo=False)
    frames = source.frames()
    tracer, names = None, set()
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for frame in frames:
                tracer = frame.tracer or tracer
                names |= {event.name for trace in frame.traces for event in trace.events}
                if {"switch_in", "switch_out"} <= names:
                    break
    finally:
        await source.close()
        await frames.aclose()  # type: ignore[attr-defined]
    assert tracer is not None
    assert tracer.level is TraceLevel.SWITCHES
    assert [probe.name for probe in tracer.probes if probe.armed] == ["context_switch"]


async def test_an_engine_that_gave_up_root_still_sees_everything(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As under --sudo: tracefs is read while there are rights to, and CAP_PERFMON is kept."""
    if os.geteuid() != 0 or try_tracer().level < TraceLevel.FULL:
        pytest.skip("needs root, and a kernel that tells it everything")
    disk.chmod(0o777)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    engine = await Engine.start(Settings(), disk)
    try:
        async with asyncio.timeout(PATIENCE_S):
            tracer = await anext(report.tracer async for report in engine.reports() if report.tracer is not None)
    finally:
        await engine.stop()
    assert tracer.level is TraceLevel.FULL
    assert tracer.whole_cpus


async def test_a_writer_that_somebody_moved_is_followed(disk: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    if os.geteuid() != 0 or len(cpus) < 2:
        pytest.skip("needs root, and two CPUs to move the writer between")
    settings = replace(Settings(), cpus=(cpus[0],), threshold_ns=1_000, interval_ns=1_000_000)
    source = LiveSource(settings, disk, read_only=True, sudo=False)
    frames = source.frames()
    moved_ns = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for frame in frames:
                if frame.tracer is not None and frame.tracer.level < TraceLevel.FULL:
                    pytest.skip(f"the kernel tells too little here: {frame.tracer.why}")
                # the engine puts its threads in their places once more when it knows the writer's node
                if frame.writer is not None and frame.traces and not moved_ns:
                    os.sched_setaffinity(frame.writer.tid, {cpus[1]})  # as taskset does, behind the engine's back
                    moved_ns = frame.end_ns
                seen = {event.cpu for trace in frame.traces if trace.planned_ns > moved_ns for event in trace.events}
                if moved_ns and cpus[1] in seen:
                    return
    finally:
        await source.close()
        await frames.aclose()  # type: ignore[attr-defined]
    raise AssertionError("the source ended")


async def test_a_storm_of_stalls_is_bounded_and_what_was_left_out_is_counted(disk: Path) -> None:
    # every write is a stall here
    engine = await Engine.start(replace(Settings(), threshold_ns=1_000, interval_ns=20_000), disk)
    lost = kept = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            async for report in engine.reports():
                if report.tracer is not None and report.tracer.level < TraceLevel.FULL:
                    pytest.skip("the kernel tells too little here")
                sizes = [len(trace.records) for trace in report.traces]
                assert sum(sizes) <= 256 << 10
                assert max(sizes, default=0) <= 64 << 10
                lost += report.traces_lost
                kept += len(sizes)
                if lost and kept:
                    break
    finally:
        await engine.stop()


async def test_a_run_without_tracing_says_so(disk: Path) -> None:
    source = LiveSource(replace(Settings(), trace=False), disk, read_only=True, sudo=False)
    frames = source.frames()
    try:
        async with asyncio.timeout(PATIENCE_S):
            tracer = await anext(frame.tracer async for frame in frames if frame.tracer is not None)
    finally:
        await source.close()
        await frames.aclose()  # type: ignore[attr-defined]
    assert tracer.level is TraceLevel.NOTHING
    assert tracer.why == "tracing is switched off (--no-trace)"
