"""Where an experiment takes place: a filesystem of its own in a loop device, and processes that get in the way."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wlat_tui.aside import PLACE

ROOT = Path(__file__).parents[2]
MIB = 1 << 20
LITTLE_BYTES = 2 * MIB
PR_CAPBSET_DROP, CAP_IPC_LOCK = 24, 14
"""Source: include/uapi/linux/prctl.h, capability.h."""


class Impossible(Exception):
    """Why an experiment cannot be made on this host, in one sentence."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A filesystem to be made in a file."""

    filesystem: str = "ext4"
    size_bytes: int = 512 * MIB
    mkfs: tuple[str, ...] = ()
    """More arguments of mkfs."""
    options: str = "defaults"
    stable_writes: bool = False
    """The device asks for stable pages (set before it is mounted)."""
    dirty_bytes: int | None = None
    """At most this much dirty on this device (strict); None: the host's limits."""


@dataclass(slots=True)
class Rig:
    """What a load acts on."""

    directory: Path
    device: str | None
    """``loop3``; None: this host's own filesystem."""
    scratch: Path
    """A directory on the host's own filesystem."""
    engine_pid: int = 0
    writer_tid: int = 0
    writer_cpu: int = 0
    stopped: list[tuple[int, int]] = field(default_factory=list)
    """Spans (ns) in which the engine was stopped."""

    @contextlib.contextmanager
    def hurting(self, way: str, *arguments: object, count: int = 1) -> Iterator[list[int]]:
        """Processes of `tests.causes.hurt`, from when they have begun until the end of the block. Yields their pids."""
        command = [sys.executable, "-m", "tests.causes.hurt", way, *map(str, arguments)]
        started: list[subprocess.Popen[str]] = []
        try:
            with PLACE.everywhere():  # also where the source keeps off the writer's CPU
                for _ in range(count):
                    started.append(
                        subprocess.Popen(
                            command,
                            cwd=ROOT,
                            stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL,
                            text=True,
                            start_new_session=True,
                        )
                    )
            for process in started:
                assert process.stdout is not None
                if process.stdout.readline().strip() != "begun":
                    raise Impossible(f"{way} ended at once with status {process.wait()}")
            yield [process.pid for process in started]
        finally:
            for process in started:
                # terminated, not killed: a frozen filesystem is thawed on the way out
                process.send_signal(signal.SIGINT)
            for process in started:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                process.kill()
                process.wait()

    @contextlib.contextmanager
    def memory_limit(self, limit_bytes: int, *, high: bool = False, beside: int = 0) -> Iterator[None]:
        """The engine alone in a control group with a memory limit (cgroup v1 or v2), or with memory.high (v2).

        Args:
            beside: The limit is that of a slice, in which there are so many other groups beside the engine's (v2).
        """
        base, file = _memory_control()
        if (high or beside) and file != "memory.max":
            raise Impossible("this needs cgroup v2, and memory is controlled by v1 here")
        file = "memory.high" if high else file
        top = group = base / f"wlat-causes-{os.getpid()}"
        groups = [top]
        home = _group_of(self.engine_pid, base)
        try:
            try:
                top.mkdir()
                if beside:
                    (top / "cgroup.subtree_control").write_text("+memory")
                    group = top / "writer"
                    groups += [group, *(top / f"beside{i}" for i in range(beside))]
                    for one in groups[1:]:
                        one.mkdir()
                    # what the kernel needs for groups counts against the one above them
                    limit_bytes += int((top / "memory.current").read_text())
                (top / file).write_text(str(limit_bytes))
                (group / "cgroup.procs").write_text(str(self.engine_pid))
            except OSError as error:
                raise Impossible(f"no memory control group can be made: {error.strerror}") from error
            yield
        finally:
            with contextlib.suppress(OSError):
                (home / "cgroup.procs").write_text(str(self.engine_pid))
            for one in reversed(groups):
                with contextlib.suppress(OSError):
                    one.rmdir()


@contextlib.contextmanager
def without_locked_memory() -> Iterator[None]:
    """Processes that this thread starts until the end of the block may lock no memory to speak of, root or not.

    The little is for the rings of perf events, of which all but half a megabyte for each CPU counts as locked memory too.
    The thread itself can never start one that may again: it must end with the block.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if libc.prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0):
        raise Impossible(f"the right to lock memory cannot be given up: {os.strerror(ctypes.get_errno())}")
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (LITTLE_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))


def _memory_control() -> tuple[Path, str]:
    """Where memory control groups are made, and the file of their limit: cgroup v1, else v2."""
    old, new = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    if (old / "memory.limit_in_bytes").exists():
        return old, "memory.limit_in_bytes"
    control = new / "cgroup.subtree_control"
    if control.exists() and "memory" in control.read_text().split():
        return new, "memory.max"
    raise Impossible("no memory control groups here")


def _group_of(pid: int, base: Path) -> Path:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory" or (not controllers and base == Path("/sys/fs/cgroup")):
            return base / path.strip("/")
    return base


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Impossible(f"'{' '.join(map(str, command))}' failed: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


@contextlib.contextmanager
def rig_on(disk: Disk | None, scratch: Path) -> Iterator[Rig]:
    """A rig on a filesystem made for it, or (None) on that of *scratch*. Raises Impossible."""
    if disk is None:
        yield Rig(scratch, None, scratch)
        return
    if shutil.which(f"mkfs.{disk.filesystem}") is None or not Path("/dev/loop-control").exists():
        raise Impossible(f"no mkfs.{disk.filesystem} or no loop devices here")
    image, mounted = scratch / "image", scratch / "mounted"
    with image.open("wb") as file:
        file.truncate(disk.size_bytes)
    mounted.mkdir(exist_ok=True)
    force = ("-q", "-F") if disk.filesystem.startswith("ext") else ("-q", "-f")
    _run(f"mkfs.{disk.filesystem}", *force, *disk.mkfs, image)
    device = _run("losetup", "-f", "--show", image)
    name = Path(device).name
    try:
        # a loop device keeps what was set when it was used before
        Path(f"/sys/block/{name}/queue/stable_writes").write_text(str(int(disk.stable_writes)))
        _limit_dirty(name, None)
        _run("mount", "-o", disk.options, device, mounted)
        try:
            if disk.dirty_bytes is not None:
                _limit_dirty(name, disk.dirty_bytes)
            yield Rig(mounted, name, scratch)
        finally:
            # a freezer that had to be killed leaves it frozen, and nothing could be unmounted or removed any more
            subprocess.run(["fsfreeze", "-u", mounted], check=False, capture_output=True)
            if subprocess.run(["umount", mounted], check=False, capture_output=True).returncode:
                _run("umount", "-l", mounted)
    finally:
        subprocess.run(["losetup", "-d", device], check=False)
        image.unlink()


def _limit_dirty(name: str, dirty_bytes: int | None) -> None:
    """None: no limit of its own."""
    bdi = Path("/sys/class/bdi") / Path(f"/sys/block/{name}/dev").read_text().strip()
    try:
        if dirty_bytes is None:
            (bdi / "max_ratio").write_text("100")
        else:
            (bdi / "max_bytes").write_text(str(dirty_bytes))
        if (bdi / "strict_limit").exists() or dirty_bytes is not None:
            (bdi / "strict_limit").write_text(str(int(dirty_bytes is not None)))
    except OSError as error:
        raise Impossible(f"this kernel has no limit of dirty bytes per device (it came with 6.2): {error.strerror}") from error
