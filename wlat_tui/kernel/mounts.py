"""/proc/self/mountinfo and /sys/dev/block: what a directory really writes to."""

from __future__ import annotations

import os
from pathlib import Path

from wlat_tui.frame import Target
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_line, read_text
from wlat_tui.kernel.mountinfo import Mount, parse_mountinfo

_NOT_A_DISK = {
    "tmpfs": "memory (tmpfs): nothing reaches a disk",
    "ramfs": "memory (ramfs): nothing reaches a disk",
    "devtmpfs": "memory (devtmpfs): nothing reaches a disk",
    "hugetlbfs": "memory (hugetlbfs): nothing reaches a disk",
    "rootfs": "memory (the initial root): nothing reaches a disk",
    "overlay": "an overlay (a container's layered filesystem) over another filesystem, whose costs it hides and adds to",
    "aufs": "an overlay (aufs) over another filesystem, whose costs it hides and adds to",
    "proc": "a view of the kernel (proc), not a place for files",
    "sysfs": "a view of the kernel (sysfs), not a place for files",
    "cgroup2": "a view of the kernel (cgroup2), not a place for files",
}


def read_mounts(root: Path = ROOT) -> tuple[Mount, ...] | None:
    """None without /proc. Raises OSError."""
    text = read_text(root / "proc/self/mountinfo")
    return None if text is None else parse_mountinfo(text)


def read_target(directory: Path, root: Path = ROOT) -> Target | None:
    """What a file made in this directory would be written to; None without /proc.

    Args:
        directory: as seen in the tree under ``root``; need not exist in a tree that is not the live one.

    Raises:
        OSError: the directory cannot be opened, or a kernel file cannot be read.
    """
    directory = directory.absolute()
    mount = find_mount(directory, root)
    if mount is None:
        return None
    queue = _queue(mount, root)
    return Target(
        directory=str(directory),
        mount_point=mount.mount_point,
        filesystem=mount.filesystem,
        device=mount.source,
        mount_options=mount.options,
        stable_writes=_flag(queue, "stable_writes"),
        rotational=_flag(queue, "rotational"),
    )


def find_mount(directory: Path, root: Path = ROOT) -> Mount | None:
    """The mount a directory is on; None without /proc. Raises OSError as `read_target` does."""
    directory = directory.absolute()
    mounts = read_mounts(root)
    if mounts is None:
        return None
    return (_by_id(directory, mounts) if root == ROOT else None) or _by_path(directory, mounts)


def disk_refusal(target: Target) -> str | None:
    """Why timing writes here would not be timing a disk, in one sentence; None when it would."""
    what = _NOT_A_DISK.get(target.filesystem)
    if what is None:
        return None
    return f"{target.directory} is {what}; choose a directory on a real filesystem with --dir."


def _by_id(directory: Path, mounts: tuple[Mount, ...]) -> Mount | None:
    """The mount the directory is really on, exact even below hidden and stacked mounts (mnt_id in fdinfo, since 3.15)."""
    fd = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    try:
        info = read_text(Path(f"/proc/self/fdinfo/{fd}")) or ""
    finally:
        os.close(fd)
    ids = [int(line.split()[1]) for line in info.splitlines() if line.startswith("mnt_id:")]
    return next((mount for mount in mounts if ids and mount.mount_id == ids[0]), None)


def _by_path(directory: Path, mounts: tuple[Mount, ...]) -> Mount | None:
    best: Mount | None = None
    for mount in mounts:
        deep_enough = best is None or len(Path(mount.mount_point).parts) >= len(Path(best.mount_point).parts)
        if deep_enough and directory.is_relative_to(mount.mount_point):
            best = mount
    return best


def _queue(mount: Mount, root: Path) -> Path | None:
    """The request queue of the block device; a partition has none of its own and uses its disk's."""
    name = os.path.basename(mount.source)
    for device in (root / "sys/dev/block" / mount.device_number, root / "sys/class/block" / name):
        if device.exists():
            real = device.resolve()
            for queue in (real / "queue", real.parent / "queue"):
                if queue.is_dir():
                    return queue
    return None  # btrfs on several devices, network and virtual filesystems


def _flag(queue: Path | None, name: str) -> bool | None:
    text = None if queue is None else read_line(queue / name)
    return None if text is None else text == "1"
