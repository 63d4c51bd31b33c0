"""What explains a stall: tracefs, perf events, and what forbids them."""

from __future__ import annotations

import os

from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.doctor.privileges import has_capability
from wlat_tui.evidence import TraceLevel
from wlat_tui.kernel.files import read_line
from wlat_tui.kernel.mounts import read_mounts
from wlat_tui.kernel.sysctl import read_sysctl
from wlat_tui.kernel.thp import parse_choice
from wlat_tui.native import try_tracer
from wlat_tui.tracing import describe

_LEVELS = {
    TraceLevel.NOTHING: "sees counters only",
    TraceLevel.SWITCHES: "sees when the writer leaves and gets a CPU",
    TraceLevel.CHAINS: "sees events with their call chains",
    TraceLevel.FULL: "sees events with call chains and fields",
}


def tracefs(subject: Subject) -> Finding:
    why = "Tracepoints name what the writer waited for: reclaim, compaction, writeback, the journal."
    mounts = [mount.mount_point for mount in read_mounts(subject.root) or () if mount.filesystem == "tracefs"]
    places = [*mounts, "/sys/kernel/tracing", "/sys/kernel/debug/tracing"]
    seen = [place for place in places if os.path.isdir(subject.root / place.lstrip("/") / "events")]
    if seen and os.access(subject.root / seen[0].lstrip("/") / "events", os.R_OK | os.X_OK):
        return Finding("tracefs", State.OK, f"readable at {seen[0]}", why)
    if mounts or seen:
        return Finding("tracefs", State.DEGRADED, f"mounted at {places[0]}, not readable for this user", why, "wlat --sudo")
    fix = "sudo mount -t tracefs nodev /sys/kernel/tracing"
    return Finding("tracefs", State.MISSING, "not mounted, or hidden from this user", why, fix)


def perf_events(subject: Subject) -> Finding:
    why = "Kernel stacks of a stall come from perf events; above 1 an ordinary user gets none, only context switches."
    text = read_sysctl("kernel.perf_event_paranoid", subject.root)
    if text is None:
        return Finding("perf events", State.MISSING, "this kernel has no perf events", why)
    here = f"kernel.perf_event_paranoid is {text}"
    if has_capability(subject.root, "PERFMON", "SYS_ADMIN"):
        return Finding("perf events", State.OK, f"{here}; a capability overrides it", why)
    if int(text) < 0:
        return Finding("perf events", State.OK, here, why)
    return Finding("perf events", State.DEGRADED, here, why, "wlat --sudo")


def tracer(subject: Subject) -> Finding:
    """Tries out what the engine would try, as this user."""
    why = "What cannot be seen cannot be named: a stall then stays unexplained or only half explained."
    if not subject.live:
        return Finding("tracer", State.MISSING, "is tried out on the running host only", why)
    found = describe(try_tracer(), "root" if os.geteuid() == 0 else "user")
    armed = [probe for probe in found.probes if probe.armed]
    blind = [probe for probe in found.probes if not probe.armed]
    here = f"{_LEVELS[found.level]}; {len(armed)} of {len(found.probes)} probes armed"
    if found.why:
        here += f"; {found.why}"
    if blind and armed:
        here += f"; blind: {', '.join(f'{probe.name} ({probe.why})' for probe in blind)}"
    state = State.OK if found.why is None else State.MISSING if found.level is TraceLevel.NOTHING else State.DEGRADED
    return Finding("tracer", state, here, why, found.fix)


def lockdown(subject: Subject) -> Finding:
    why = "Kernel lockdown in confidentiality mode forbids tracing and perf even to root; integrity mode does not."
    text = read_line(subject.root / "sys/kernel/security/lockdown")
    if text is None:
        return Finding("lockdown", State.OK, "not built or not visible here", why)
    mode = parse_choice(text)
    if mode == "confidentiality":
        fix = "boot with lockdown=integrity on the kernel command line"
        return Finding("lockdown", State.DEGRADED, "confidentiality", why, fix)
    return Finding("lockdown", State.OK, mode or text, why)
