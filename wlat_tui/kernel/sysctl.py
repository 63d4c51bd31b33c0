"""/proc/sys: settings as text."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_line

WATERMARK_KNOBS = ("vm.min_free_kbytes", "vm.watermark_scale_factor", "vm.lowmem_reserve_ratio")


def sysctl_path(name: str, root: Path = ROOT) -> Path:
    return root / "proc/sys" / name.replace(".", "/")


def read_sysctl(name: str, root: Path = ROOT) -> str | None:
    """The value, stripped; None when this kernel has no such setting. Raises OSError."""
    return read_line(sysctl_path(name, root))


def watermark_knobs(root: Path = ROOT) -> tuple[str | None, ...]:
    """The settings from which the kernel computes every zone's watermarks. Changed: read /proc/zoneinfo again.

    Three tiny files without locks (about 15 us). Source: mm/page_alloc.c setup_per_zone_wmarks, setup_per_zone_lowmem_reserve.
    """
    return tuple(read_sysctl(name, root) for name in WATERMARK_KNOBS)
