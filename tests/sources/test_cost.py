"""What the screen says wlat costs is what all of its processes take."""

from __future__ import annotations

import subprocess
import sys
import time

from wlat_tui.kernel.descendants import cpu_ns, descendants
from wlat_tui.sources.cost import PERIOD_NS, CostMeter

# ends when told; the loop is in a child of the child
BUSY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"


def test_what_children_and_their_children_take_is_counted_and_kept_when_they_end() -> None:
    meter = CostMeter()
    assert meter.take(0, None, 0) is None
    with subprocess.Popen([sys.executable, "-c", BUSY]) as child:
        deadline = time.monotonic() + 60
        while sum(map(cpu_ns, descendants(child.pid))) < 200_000_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        cost = meter.take(PERIOD_NS, None, 0)
        for pid in [*descendants(child.pid), child.pid]:
            subprocess.run(["kill", "-KILL", str(pid)], check=True)
    assert cost is not None
    assert cost.monitor_cpu_pct >= 20
    after = meter.take(2 * PERIOD_NS, None, 0)
    assert after is not None
    assert 0 <= after.monitor_cpu_pct < cost.monitor_cpu_pct


def test_a_process_that_is_gone_took_nothing_and_has_no_children() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert (cpu_ns(child.pid), list(descendants(child.pid))) == (0, [])
