"""virtio_balloon: whether free memory goes back to the hypervisor."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_line

REPORTING = 5
"""VIRTIO_BALLOON_F_REPORTING, free page reporting, since 5.7. Source: include/uapi/linux/virtio_balloon.h."""


def reports_free_pages(root: Path = ROOT) -> bool:
    """Whether this machine tells its hypervisor which memory is free, so that it may be taken away until it is touched again.

    False too where the kernel has no such driver, or does not show it. Source: ``features`` of the device, a digit each.
    Raises OSError.
    """
    lines = (read_line(file) for file in sorted(root.glob("sys/bus/virtio/drivers/virtio_balloon/*/features")))
    return any(line is not None and line[REPORTING : REPORTING + 1] == "1" for line in lines)
