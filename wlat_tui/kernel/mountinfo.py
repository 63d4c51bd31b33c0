"""Mounts as the kernel lists them. Source: /proc/PID/mountinfo (proc_pid_mountinfo(5))."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo. ``options`` are the mount's own followed by the filesystem's that differ."""

    mount_id: int
    device_number: str
    mount_point: str
    options: str
    filesystem: str
    source: str


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """In the file's order: a later mount on the same point hides an earlier one. Source: fs/proc_namespace.c show_mountinfo."""
    mounts = []
    for line in text.split("\n"):  # splitlines would also split at other characters that names may hold
        left, dash, right = line.partition(" - ")
        fields, rest = left.split(" "), right.split(" ")
        if not dash or len(fields) < 6 or len(rest) < 2:
            continue
        own = fields[5].split(",")
        further = [option for option in (rest[2] if len(rest) > 2 else "").split(",") if option and option not in own]
        if "ro" in own:
            further = [option for option in further if option != "rw"]  # the mount is read-only though its filesystem is not
        options = ",".join([*own, *further])
        mounts.append(Mount(int(fields[0]), fields[2], _unescape(fields[4]), options, rest[0], _unescape(rest[1])))
    return tuple(mounts)


def _unescape(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
