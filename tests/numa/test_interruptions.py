"""A host that stops wlat, or takes the writer's CPU away, while it runs: told as what it is, not as a stall."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.numa.guest import Guest
from tests.numa.recorded import assert_as_built, record
from wlat_tui.frame import Span

pytestmark = [pytest.mark.numa, pytest.mark.minutes("boots a guest of its own")]
STOPPED_S = 5
"""The kernel's own test of suspending freezes every task for as long."""
SCRIPT = f"""
step offline
echo 0 >/sys/devices/system/cpu/cpu1/online
wrote 1000
step online
echo 1 >/sys/devices/system/cpu/cpu1/online
wrote 1000
step stopped
kill -STOP $engine; sleep {STOPPED_S}; kill -CONT $engine
step "stopped over"
wrote 400
mkdir -p /tmp/cgroup && mount -t cgroup2 cgroup2 /tmp/cgroup && mkdir /tmp/cgroup/frozen
echo $engine >/tmp/cgroup/frozen/cgroup.procs
step frozen
echo 1 >/tmp/cgroup/frozen/cgroup.freeze; sleep {STOPPED_S}; echo 0 >/tmp/cgroup/frozen/cgroup.freeze
step "frozen over"
wrote 400
echo freezer >/sys/power/pm_test
step suspended
echo freeze >/sys/power/state
step "suspended over"
wrote 400
"""


@pytest.mark.parametrize("kernel", ["6.12", "6.1"])
def test_a_stop_is_a_gap_and_a_cpu_that_goes_is_told(kernel: str, tmp_path: Path) -> None:
    guest = Guest(mem=("1G",), cpus=("0-1",), kernel=kernel)
    seen = record(guest, SCRIPT, tmp_path / "out", flags="--cpu 1")
    assert_as_built(guest, seen)
    steps, session = seen.steps, seen.session()
    for what in ("stopped", "frozen", "suspended"):
        begin_ns, end_ns = steps[what], steps[f"{what} over"]
        gaps = [gap for gap in session.gaps if gap.begin_ns < end_ns and gap.end_ns > begin_ns]
        assert max(gap.end_ns - gap.begin_ns for gap in gaps) > STOPPED_S * 0.9e9, (what, gaps)
        written = [frame.writer for frame in seen.frames if frame.writer and begin_ns < frame.end_ns < end_ns + 2e9]
        worst = [write.service_ns for tick in written if (write := tick.worst[Span.SERVICE])]
        assert max(worst, default=0) < STOPPED_S * 0.9e9, f"{what} is no stall"
    # a frame is of the moment its tick ended; what is read beside it may be older by a second
    told = [notice for frame in seen.frames for notice in frame.notices if "asked for again" in notice]
    assert [notice.partition(" are ")[0] for notice in told] == ["CPUs 0", "CPUs 0-1"], told
    refused = [frame.writer for frame in seen.frames if frame.writer and frame.writer.refused.get("cpus")]
    assert refused, "that it cannot be pinned there now is shown"
    assert any(tick.cpu == 0 for tick in refused), "it writes on where it may"
    last = [frame.writer for frame in seen.frames if frame.writer and frame.end_ns > steps["stopped over"]]
    assert {tick.cpu for tick in last} == {1}, "and is pinned again"
    assert not any(tick.refused.get("cpus") for tick in last)
