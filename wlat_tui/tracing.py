"""What the engine says about its tracer, in evidence's terms: its level, what is armed or blind and why, what would help."""

from __future__ import annotations

import errno
import os

from wlat_tui.evidence import Probe, TraceLevel, Tracer
from wlat_tui.native import RawProbe, RawTracer

_WHY = {
    errno.ENOENT: "this kernel has no such tracepoint",
    errno.EACCES: "only root may look at it",
    errno.EPERM: "only root may look at it",
    errno.ENODATA: "the list of tracepoints was not read",
    errno.EXDEV: "it happens to the writer, not in it, and whole CPUs may not be watched here",
    errno.EINVAL: "this kernel does not take its filter",
    errno.EMFILE: "the limit on open files is too low",
    errno.ENODEV: "that CPU is offline",
}
_FORBIDDEN = (errno.EACCES, errno.EPERM)


def _why(error: int) -> str:
    return _WHY.get(error, os.strerror(error)) if error else ""


def _probes(raw: RawTracer) -> tuple[Probe, ...]:
    by_name: dict[str, list[RawProbe]] = {}
    for one in raw.probes:
        by_name.setdefault(one.name, []).append(one)
    probes = []
    for name, parts in by_name.items():
        first = min(parts, key=lambda part: part.error != 0)
        armed = first.error == 0 and raw.level >= TraceLevel.CHAINS
        probes.append(Probe(name, armed, _why(first.error or (0 if armed else raw.error)), all(part.deep for part in parts)))
    if not raw.whole_cpus:
        probes.append(Probe("context_switch", raw.level >= TraceLevel.SWITCHES, _why(raw.error)))
    return tuple(probes)


def _missing(raw: RawTracer, privilege: str) -> tuple[str | None, str | None]:
    """Why there is less than everything (one sentence), and the one command that would show more."""
    help_ = "wlat --sudo" if privilege == "user" else None
    tracepoints = [one for one in raw.probes if not one.name.startswith("software:")]
    unread = bool(tracepoints) and all(one.error for one in tracepoints)
    unread_but_switches = all(one.error for one in tracepoints if one.name != "sched:sched_switch")
    if raw.level is TraceLevel.NOTHING:
        if raw.error == errno.ENOSYS:
            return "this kernel has no perf events", None
        # the kernel itself says EACCES; EPERM comes from a filter of system calls, which binds root as well
        fix = None if raw.error == errno.EPERM else help_
        return f"perf events are refused here: {os.strerror(raw.error)}", fix or "docker run --cap-add PERFMON ..."
    if raw.level is TraceLevel.SWITCHES and unread and raw.probes[0].error not in _FORBIDDEN:
        return f"the list of tracepoints cannot be read: {os.strerror(raw.probes[0].error)}", help_
    if raw.level is TraceLevel.SWITCHES:
        return "only root may look at tracepoints here: it is seen when the writer left its CPU, not why", help_
    if raw.level is TraceLevel.CHAINS and unread_but_switches:
        return (
            "only root may look at tracepoints here: it is seen where the writer slept, not what it spun for or who ran",
            help_,
        )
    if raw.level is TraceLevel.CHAINS:
        return "kernel.perf_event_paranoid forbids the fields of events: who took the CPU, which lock", help_
    if raw.cpus_blind:
        return f"{raw.cpus_blind} of the writer's CPUs cannot be watched: {_why(raw.error)}", None
    if not raw.whole_cpus:
        return "the writer may use too many CPUs to watch them all", "wlat --cpu N"
    return None, None


def describe(raw: RawTracer, privilege: str) -> Tracer:
    """The tracer as a frame tells it.

    Args:
        raw: the engine's own words.
        privilege: what the engine runs as ("root", "sudo", "user"): decides what would help.
    """
    if not raw.traced:
        probes = tuple(Probe(name, False, "started with --no-trace") for name in dict.fromkeys(p.name for p in raw.probes))
        return Tracer(TraceLevel.NOTHING, False, probes, "wlat", "tracing is switched off (--no-trace)")
    why, fix = _missing(raw, privilege)
    return Tracer(raw.level, raw.deep, _probes(raw), fix, why)
