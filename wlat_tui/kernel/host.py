"""Who this machine is: hostname, kernel, page size, and everything else that a `Host` holds."""

from __future__ import annotations

import os
from pathlib import Path

from wlat_tui.frame import Host
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.balloon import reports_free_pages
from wlat_tui.kernel.clocksource import read_clocksource
from wlat_tui.kernel.cpuinfo import read_cpu_model
from wlat_tui.kernel.cpus import read_online_cpus
from wlat_tui.kernel.files import read_line
from wlat_tui.kernel.mglru import read_mglru
from wlat_tui.kernel.mounts import read_target
from wlat_tui.kernel.sysctl import read_sysctl
from wlat_tui.kernel.topology import read_topology


def page_bytes() -> int:
    """4096 on x86, 16 or 64 KiB on many arm64 and POWER hosts; no kernel file tells."""
    return os.sysconf("SC_PAGE_SIZE")


def read_boot_id(root: Path = ROOT) -> str | None:
    """Changes with every boot. Raises OSError."""
    return read_line(root / "proc/sys/kernel/random/boot_id")


def read_host(directory: Path | None, privilege: str, root: Path = ROOT) -> Host:
    """Everything that stays the same during a session.

    Args:
        directory: where the writer writes; None: no target.
        privilege: "root", "sudo" or "user".

    Raises:
        OSError: a kernel file exists and cannot be read, or the directory cannot be opened.
    """
    return Host(
        hostname=read_sysctl("kernel.hostname", root) or os.uname().nodename,
        kernel=read_sysctl("kernel.osrelease", root) or os.uname().release,
        page_bytes=page_bytes(),
        cpus_online=read_online_cpus(root) or (),
        nodes=read_topology(root),
        target=None if directory is None else read_target(directory, root),
        clocksource=read_clocksource(root),
        mglru=read_mglru(root),
        privilege=privilege,
        cpu=read_cpu_model(root),
        reports_free_pages=reports_free_pages(root),
    )
