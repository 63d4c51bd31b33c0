"""What explains a stall: tracefs, perf events, and what forbids them."""

from __future__ import annotations

import os

from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.doctor.privileges import has_capability
from wlat_tui.kernel.files import read_line
from wlat_tui.kernel.mounts import read_mounts
from wlat_tui.kernel.sysctl import read_sysctl
from wlat_tui.kernel.thp import parse_choice


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
