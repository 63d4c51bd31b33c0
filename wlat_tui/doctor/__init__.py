"""`wlat doctor`: one small check per thing that decides what wlat can see here, listed once. Checks only look."""

from __future__ import annotations

from wlat_tui.doctor import memory, privileges, readers, storage, timing, tracing, watches
from wlat_tui.doctor.finding import Check, Finding, State, Subject

CHECKS: dict[str, Check] = {
    "privilege": privileges.privilege,
    "capabilities": privileges.capabilities,
    "real-time limit": privileges.rtprio,
    "locked memory": privileges.memlock,
    "SCHED_FIFO": privileges.fifo,
    "RT throttling": privileges.rt_throttling,
    "tracefs": tracing.tracefs,
    "perf events": tracing.perf_events,
    "tracer": tracing.tracer,
    "lockdown": tracing.lockdown,
    "clock source": timing.clock_source,
    "timer slack": timing.timer_slack,
    "idle states": timing.idle_states,
    "cpu_dma_latency": timing.dma_latency,
    "governor": timing.governor,
    "isolated CPUs": timing.isolated,
    "wlat's threads": timing.own_threads,
    "steal": timing.steal,
    "zones": memory.zones,
    "min_free_kbytes": memory.min_free,
    "zone_reclaim_mode": memory.zone_reclaim,
    "huge pages": memory.huge_pages,
    "MGLRU": memory.mglru,
    "NUMA balancing": memory.numa_balancing,
    "counter age": memory.stat_interval,
    "swap": memory.swap,
    "free memory": memory.given_back,
    "pressure (PSI)": memory.pressure,
    "cgroup memory": memory.cgroup_memory,
    "target": storage.target,
    "mount options": storage.mount_options,
    "stable writes": storage.stable_writes,
    "disk space": storage.space,
    "slabinfo readers": readers.slabinfo_readers,
    "suspects": watches.watches,
}
"""In the order they are shown."""


def examine(subject: Subject) -> tuple[Finding, ...]:
    """Run every check. A file that may not be read makes its check MISSING, with the reason."""
    return tuple(_run(name, check, subject) for name, check in CHECKS.items())


def _run(name: str, check: Check, subject: Subject) -> Finding:
    try:
        return check(subject)
    except OSError as error:
        here = f"{error.filename or 'a kernel file'} cannot be read: {error.strerror}"
        return Finding(name, State.MISSING, here, "Without it wlat cannot say how this stands here.", "sudo wlat doctor")
