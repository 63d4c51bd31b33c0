"""What delays the writer without being the write path: clocks, timers, idle states, frequencies, the hypervisor."""

from __future__ import annotations

import os
import struct
from collections import Counter

from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.kernel.clocksource import read_clocksource
from wlat_tui.kernel.cpulist import format_cpulist
from wlat_tui.kernel.cpus import read_governors, read_idle_states, read_isolated_cpus, read_nohz_full_cpus, read_online_cpus
from wlat_tui.kernel.files import read_line, read_text

SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit")
DEEP_US = 50
"""An idle state that takes longer to leave shows in every wake: a quarter of the default interval."""
NO_REQUEST_US = 2_000_000_000
"""PM_QOS_CPU_LATENCY_DEFAULT_VALUE: nobody asks for anything."""
STEAL_PCT = 1.0


def clock_source(subject: Subject) -> Finding:
    why = "Each write is stamped twice: about 0.1 us with tsc or kvm-clock, several us with hpet or acpi_pm."
    clock = read_clocksource(subject.root)
    if clock is None:
        return Finding("clock source", State.MISSING, "n/a: the kernel does not tell", why)
    if clock in SLOW_CLOCKS:
        return Finding("clock source", State.DEGRADED, f"{clock}, slow to read", why, "sudo dmesg | grep -iE 'clocksource|tsc'")
    return Finding("clock source", State.OK, clock, why)


def timer_slack(subject: Subject) -> Finding:
    why = "A sleeping task is woken up to this much late (50 us by default); wlat's engine sets 1 ns for its writer."
    text = read_line(subject.root / "proc/self/timerslack_ns")
    return Finding("timer slack", State.OK, "set by the engine" if text is None else f"{text} ns here, 1 ns in the writer", why)


def idle_states(subject: Subject) -> Finding:
    why = "Leaving a deep idle state delays the writer's wake, not its write(): it shows as wake."
    online = read_online_cpus(subject.root) or ()
    states = [state for state in read_idle_states(online[0], subject.root) if not state.disabled] if online else []
    if not states:
        return Finding("idle states", State.OK, "none here (no cpuidle; in a virtual machine the host decides)", why)
    deepest = max(states, key=lambda state: state.latency_us)
    here = f"{len(states)} in use, deepest {deepest.name} takes {deepest.latency_us} us to leave"
    if deepest.latency_us > DEEP_US:
        return Finding("idle states", State.DEGRADED, here, why, "sudo wlat --dma-latency 0")
    return Finding("idle states", State.OK, here, why)


def dma_latency(subject: Subject) -> Finding:
    why = "Holding /dev/cpu_dma_latency keeps CPUs out of deep idle; while anyone does, wakes look better than usual."
    path = subject.root / "dev/cpu_dma_latency"
    if not path.exists():
        return Finding("cpu_dma_latency", State.MISSING, "no /dev/cpu_dma_latency here (container, or no PM QoS)", why)
    try:
        data = path.read_bytes() if not subject.live else _first_bytes(str(path), 4)
    except PermissionError:
        return Finding("cpu_dma_latency", State.DEGRADED, "may not be opened by this user", why, "wlat --sudo --dma-latency 0")
    asked = struct.unpack("=i", data)[0] if len(data) == 4 else NO_REQUEST_US
    if asked < NO_REQUEST_US:
        fix = "sudo fuser -v /dev/cpu_dma_latency"
        return Finding("cpu_dma_latency", State.DEGRADED, f"somebody holds it at {asked} us", why, fix)
    return Finding("cpu_dma_latency", State.OK, "available, held by nobody", why)


def _first_bytes(path: str, size: int) -> bytes:
    """The device answers one read with its current value (kernel/power/qos.c); it must not be read to the end."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)


def governor(subject: Subject) -> Finding:
    why = "A CPU that clocks down between writes is slower at each of them; 'performance' keeps it up."
    governors = Counter(read_governors(subject.root).values())
    if not governors:
        return Finding("governor", State.OK, "none here (no cpufreq; in a virtual machine the host decides)", why)
    here = ", ".join(f"{name} on {count} CPU{'s' if count > 1 else ''}" for name, count in governors.most_common())
    if set(governors) == {"performance"}:
        return Finding("governor", State.OK, here, why)
    fix = "sudo cpupower frequency-set -g performance"
    return Finding("governor", State.DEGRADED, here, why, fix)


def isolated(subject: Subject) -> Finding:
    why = "A pinned writer on an isolated CPU shows the write path alone; its share of the node's counters lags behind."
    cpus = read_isolated_cpus(subject.root) or ()
    quiet = read_nohz_full_cpus(subject.root) or ()
    if not cpus and not quiet:
        return Finding("isolated CPUs", State.OK, "none", why)
    parts = [f"isolated {format_cpulist(cpus)}" if cpus else "", f"nohz_full {format_cpulist(quiet)}" if quiet else ""]
    return Finding("isolated CPUs", State.OK, ", ".join(filter(None, parts)), why, f"wlat --cpu {(cpus or quiet)[0]}")


def own_threads(subject: Subject) -> Finding:
    why = "What is drawn on the writer's CPU takes the caches of the writes that follow: screen and watcher run elsewhere."
    online = read_online_cpus(subject.root)
    if online is None:
        return Finding("wlat's threads", State.MISSING, "n/a: the kernel does not tell which CPUs are online", why)
    if len(online) < 2:
        return Finding("wlat's threads", State.DEGRADED, "share the only CPU with the writer", why)
    return Finding("wlat's threads", State.OK, f"keep off the writer's CPU, {len(online) - 1} others are there", why)


def steal(subject: Subject) -> Finding:
    why = "While the hypervisor runs somebody else, a write() takes longer for no reason inside this machine."
    for line in (read_text(subject.root / "proc/stat") or "").splitlines():
        words = line.split()
        if words[:1] == ["cpu"] and len(words) > 8:
            ticks = [int(word) for word in words[1:9]]  # guest time is already inside user time
            percent = 100 * ticks[7] / max(sum(ticks), 1)
            state = State.HAZARD if percent > STEAL_PCT else State.OK
            return Finding(
                "steal", state, f"{percent:.2g} % of CPU time since boot", why, None if state is State.OK else "mpstat -P ALL 1"
            )
    return Finding("steal", State.MISSING, "n/a: /proc/stat does not tell", why)
