"""Causes that cannot be produced at will, as they were recorded when they happened."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.causes import Confidence, Family
from wlat_tui.evidence import TraceLevel
from wlat_tui.model.session import Session
from wlat_tui.sessions.recording import Recording

FIXTURES = Path(__file__).parent / "fixtures"
MS = 1_000_000


def test_a_virtual_machine_that_was_kept_from_its_cpus_blames_the_host_and_not_its_kernel() -> None:
    """2-CPU guest whose hypervisor stopped it for 32 ms of every 100 (a quota of CPU time), writer with SCHED_FIFO 50."""
    session = Session()
    with Recording(FIXTURES / "steal.wlat") as recording:
        for frame in recording.frames():
            session.fold(frame)
    assert len(session.explained) == 8
    for stall in session.explained:
        assert stall.verdict.cause == "steal"
        assert stall.cause.family is Family.HOST
        assert stall.verdict.main.confidence is Confidence.COINCIDED, "no event proves it"
        assert stall.verdict.level > TraceLevel.NOTHING
        assert stall.circumstances.steal_ns
        assert stall.verdict.explained_pct > 99
    assert sum(stall.write.wake_ns > 30 * MS for stall in session.explained) == 7
