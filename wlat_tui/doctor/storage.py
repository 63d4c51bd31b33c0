"""What the writer would write to."""

from __future__ import annotations

import os

from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.frame import Target
from wlat_tui.kernel.mounts import disk_refusal, read_target
from wlat_tui.units import format_bytes

DISK_LIMIT_BYTES = 1 << 30
"""What wlat holds at most by default (--disk-limit)."""
_ELSEWHERE = "wlat --dir /var/tmp"


def _target(subject: Subject) -> Target | None:
    return read_target(subject.directory, subject.root)


def target(subject: Subject) -> Finding:
    why = "The cost of write() is the cost of this filesystem: memory and overlays do not stand in for a disk."
    found = _target(subject)
    if found is None:
        return Finding("target", State.MISSING, "n/a: /proc/self/mountinfo does not tell", why)
    refusal = disk_refusal(found)
    if refusal is not None:
        return Finding("target", State.MISSING, refusal, why, _ELSEWHERE)
    kind = {True: ", rotational", False: ", not rotational", None: ""}[found.rotational]
    here = f"{found.directory}: {found.filesystem} on {found.device}, mounted at {found.mount_point}{kind}"
    return Finding("target", State.OK, here, why)


def mount_options(subject: Subject) -> Finding:
    why = "sync and dirsync make every write() wait for the disk; a read-only mount takes none."
    found = _target(subject)
    if found is None:
        return Finding("mount options", State.MISSING, "n/a: /proc/self/mountinfo does not tell", why)
    options = found.mount_options.split(",")
    if "ro" in options:
        return Finding("mount options", State.MISSING, f"read-only: {found.mount_options}", why, _ELSEWHERE)
    if "sync" in options or "dirsync" in options:
        fix = f"sudo mount -o remount,async {found.mount_point}"
        return Finding("mount options", State.HAZARD, ", ".join(options), why, fix)
    return Finding("mount options", State.OK, ", ".join(options), why)


def stable_writes(subject: Subject) -> Finding:
    why = "With stable pages a write() into a page that is being written back waits for the disk (checksums need it)."
    found = _target(subject)
    if found is not None and found.filesystem == "btrfs":
        return Finding("stable writes", State.DEGRADED, "btrfs always waits for its own checksums", why, _ELSEWHERE)
    if found is None or found.stable_writes is None:
        return Finding("stable writes", State.OK, "n/a: no block device of its own", why)
    if found.stable_writes:
        return Finding("stable writes", State.DEGRADED, f"{found.device} asks for stable pages", why, _ELSEWHERE)
    return Finding("stable writes", State.OK, f"not asked for by {found.device}", why)


def space(subject: Subject) -> Finding:
    why = f"The writer holds up to {format_bytes(DISK_LIMIT_BYTES)} (--disk-limit) in unlinked files."
    if not subject.live:
        return Finding("disk space", State.OK, "not tried on a copied tree", why)
    stat = os.statvfs(subject.directory)
    free = stat.f_bavail * stat.f_frsize
    if free < 2 * DISK_LIMIT_BYTES:
        fix = f"wlat --disk-limit {max(free // 4 >> 20, 1)}M"
        return Finding("disk space", State.DEGRADED, f"{format_bytes(free)} free", why, fix)
    return Finding("disk space", State.OK, f"{format_bytes(free)} free", why)
