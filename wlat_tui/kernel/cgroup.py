"""/proc/self/cgroup: the control groups this process is in, v1 and v2."""

from __future__ import annotations

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
