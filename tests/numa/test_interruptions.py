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
wrote 600
step online
echo 1 >/sys/devices/system/cpu/cpu1/online
wrote 600
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
    cpus = {
        name: {frame.writer.cpu for frame in seen.frames if frame.writer and steps[name] + 1e9 < frame.end_ns < steps[until]}
        for name, until in (("offline", "online"), ("online", "stopped"))
    }
    assert cpus["offline"] == {0}, "it writes on where it may"
    print(cpus, [host.cpus_online for host in seen.hosts])
    print([notice.text for notice in session.notices])
    print([frame.writer.refused for frame in seen.frames if frame.writer and frame.end_ns > steps["offline"]])
