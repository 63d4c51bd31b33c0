"""/proc/PID/cgroup: the control groups a process is in, v1 and v2, and which container or service that makes it."""

from __future__ import annotations

import re
from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_text


def parse_cgroups(text: str) -> dict[str, str]:
    """Controllers as printed ("cpu,cpuacct", "" for v2) -> path of the group. Names may hold colons."""
    groups = {}
    for line in text.split("\n"):
        fields = line.split(":", 2)
        if len(fields) == 3:
            groups[fields[1]] = fields[2]
    return groups


def read_cgroups(root: Path = ROOT) -> dict[str, str]:
    """{} without cgroups. Raises OSError."""
    return parse_cgroups(read_text(root / "proc/self/cgroup") or "")


_ID = re.compile(r"(?:(docker|libpod|cri-containerd|crio|containerd|podman|buildkit|garden)[-/])?([0-9a-f]{64})(?:\.scope)?")
_POD = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})")
_NAMED = re.compile(r"/(lxc(?:\.payload)?|machine\.slice|garden|lxd)[/.]([^/]+)")
_SHORT_ID = 12


def container_of(text: str) -> str | None:
    """The container or service of a process, from its /proc/PID/cgroup: ``docker 0123456789ab``, ``nginx.service``.

    None for what runs in no container and no service: a login session, a kernel thread, the root group. Any version's line
    may tell; containers are looked for before services, because they run inside one. Names as runtimes give them:
    https://docs.kernel.org/admin-guide/cgroup-v2.html leaves them free, so unknown ones are not guessed.
    """
    paths = sorted(set(parse_cgroups(text).values()), key=len, reverse=True)
    for path in paths:
        if found := _container(path):
            return found
    for path in paths:
        for part in reversed(path.split("/")):
            if part.endswith(".service") and not part.startswith("user@"):
                return part
    return None


def _container(path: str) -> str | None:
    if named := _ID.search(path):
        runtime = named[1] or ("kubernetes" if "kubepods" in path else "docker" if "/docker/" in path else "container")
        return f"{runtime} {named[2][:_SHORT_ID]}"
    if pod := _POD.search(path):
        return f"pod {pod[1].replace('_', '-')}"
    if payload := _NAMED.search(path):
        name = payload[2].removesuffix(".scope").removeprefix("machine-").replace("\\x2d", "-")
        return f"{payload[1].partition('.')[0]} {name}"
    return None
