"""Causes of memory that this machine cannot show (it has one node, and others use it), made in one guest per kernel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.numa.guest import Guest

KERNELS = {"6.12": "ext4", "6.1": "ext4"}
"""Kernel -> filesystem of /data. (6.1 gives back the names of files on xfs too quickly to be noticed.)"""
NAMED: Mapping[str, tuple[str, ...]] = {
    "node reclaim, mode 1": ("node_reclaim",),
    "node reclaim, mode 7": ("node_reclaim", "shrinkers"),
    "memory limit": ("memcg_max",),
    "memory.high": ("memcg_high",),
}
"""Experiment of tests/causes -> which of the names it allows must be among those given."""
CONTROLS = ("quiet", "machine stopped")
TIMEOUT_S = 1200
# version 2 of control groups, which nothing mounts in a guest: memory.high exists there only
SCRIPT = """
mkdir -p /job/out
mount -t cgroup2 none /sys/fs/cgroup && echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /slow && mkfs.ext4 -q -O ^has_journal /dev/vdb && mount /dev/vdb /slow
# what is on its way to the disk can be waited for when a load ends
echo 16 >/sys/block/vdb/queue/max_sectors_kb
export WLAT_SCRATCH=/data
python -u -m tests.numa.inside_causes /job/out {names}
"""


def guest(kernel: str) -> Guest:
    """One CPU: an emulator takes turns between several, and what it lets wait looks stolen; and tracepoints that come and go
    (kernel code is patched) were seen to crash several emulated CPUs or have them spin for ever."""
    return Guest(
        mem=("768M", "2400M"),
        cpus=("0", ""),
        fs=KERNELS[kernel],
        kernel=kernel,
        slow_disks=("1G",),
        # they raise min_free_kbytes at boot beyond what nodes this small can spare
        arguments=("transparent_hugepage=never",),
    )


def made_in_guest(kernel: str, out: Path) -> dict[str, dict[str, Any]]:
    """Experiment -> what inside_causes.py told of it.

    Args:
        out: where the guest's files are left; must not exist.

    Raises:
        Unavailable, AssertionError: as `Guest.run` does.
    """
    names = " ".join(f"'{name}'" for name in (*CONTROLS, *NAMED))
    guest(kernel).run(SCRIPT.format(names=names), timeout_s=TIMEOUT_S, keep=out).check()
    found: dict[str, dict[str, Any]] = json.loads((out / "causes.json").read_text())
    return found
