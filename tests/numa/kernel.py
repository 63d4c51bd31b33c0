"""A Debian kernel that a guest can boot: found with apt, unpacked into the user's cache, never installed.

The initramfs holds busybox, the modules that reach the disk and this machine's files, and `init.sh`.
"""

from __future__ import annotations

import fcntl
import hashlib
import lzma
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import platformdirs

INIT = Path(__file__).with_name("init.sh")
# crc32c_generic: ext4 and xfs ask for it by algorithm, which no dependency list shows; newer kernels have it built in
MODULES = ("virtio_pci", "virtio_blk", "virtio_rng", "9pnet_virtio", "9p", "overlay", "loop", "crc32c_generic", "ext4", "xfs")
# command -> Debian package
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "busybox": "busybox-static",
    "depmod": "kmod",
    "cpio": "cpio",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
}
SEARCH_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


class Unavailable(Exception):
    """Why no guest can be booted here, in one sentence."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What QEMU boots."""

    release: str
    image: Path
    initramfs: Path


def tool(name: str) -> str:
    """Path of a program, also where only root's PATH would find it."""
    found = shutil.which(name, path=SEARCH_PATH)
    if found is None:
        raise Unavailable(f"no {name} on this machine: apt-get install {TOOLS[name]}")
    return found


@cache
def prepare(series: str) -> Kernel:
    """Bring a kernel of this series (such as "6.12") into the cache, with its initramfs.

    In CI, as root, missing tools are installed; elsewhere nothing is, and the reason says what to install.

    Raises:
        Unavailable: It cannot be had here.
    """
    if os.uname().machine != "x86_64":
        raise Unavailable("the guests are x86-64 only")
    missing = sorted({package for name, package in TOOLS.items() if shutil.which(name, path=SEARCH_PATH) is None})
    if missing and os.environ.get("CI") and os.geteuid() == 0:
        _apt("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
    for name in TOOLS:
        tool(name)
    base = platformdirs.user_cache_path("wlat-tests") / "guest"
    base.mkdir(parents=True, exist_ok=True)
    with _locked(base / "lock"):
        tree = _unpacked(series, base)
        release = tree.name
        key = hashlib.sha256(INIT.read_bytes() + " ".join(MODULES).encode()).hexdigest()[:12]
        initramfs = tree / f"initramfs-{key}"
        if not initramfs.exists():
            _build_initramfs(tree, release, initramfs)
    return Kernel(release, tree / "boot" / f"vmlinuz-{release}", initramfs)


def _unpacked(series: str, base: Path) -> Path:
    """The newest cached kernel of the series, downloaded first when there is none."""
    cached = sorted((tree for tree in base.glob(f"{series}.*") if (tree / "complete").exists()), key=_version_key)
    if cached:
        return cached[-1]
    package = _newest_package(series)
    release = package.removeprefix("linux-image-")
    with tempfile.TemporaryDirectory(dir=base) as scratch:
        _apt("apt-get", "download", "-qq", package, cwd=scratch)
        (archive,) = Path(scratch).glob("*.deb")
        tree = base / release
        shutil.rmtree(tree, ignore_errors=True)
        subprocess.run(["dpkg-deb", "-x", archive, tree], check=True)
    subprocess.run([tool("depmod"), "-b", tree, release], check=True)
    (tree / "complete").touch()
    return tree


def _newest_package(series: str) -> str:
    # signed stock kernels only: cloud ones leave drivers out, rt ones reclaim differently
    pattern = rf"^linux-image-{re.escape(series)}\.[0-9].*-amd64$"
    for update in (False, True):
        if update:
            _apt("apt-get", "update", "-qq")
        listed = _apt("apt-cache", "search", "--names-only", pattern)
        names = [line.split()[0] for line in listed.splitlines() if line]
        plain = [name for name in names if not re.search(r"cloud|-rt-|unsigned|dbg", name)]
        if plain:
            return max(plain, key=_version_key)
    raise Unavailable(f"apt knows no {series} kernel package here")


def _apt(*command: str, cwd: str | None = None) -> str:
    if shutil.which(command[0]) is None:
        raise Unavailable(f"no {command[0]} on this machine: the guest kernels are Debian packages")
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    )
    if done.returncode != 0:
        raise Unavailable(f"'{' '.join(command)}' failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def _version_key(name: str | Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(name).rpartition("/")[2])]


def _build_initramfs(tree: Path, release: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        root = Path(scratch)
        for directory in ("bin", "proc", "sys", "dev", "mods", "lower", "scratch", "job", "host"):
            (root / directory).mkdir()
        shutil.copy2(tool("busybox"), root / "bin" / "busybox")
        shutil.copy2(INIT, root / "init")
        (root / "init").chmod(0o755)
        names = []
        for number, module in enumerate(_modules_in_order(tree / "lib/modules" / release, MODULES)):
            data = module.read_bytes()
            name = f"{number:03}-{module.name.removesuffix('.xz')}"
            (root / "mods" / name).write_bytes(lzma.decompress(data) if module.suffix == ".xz" else data)
            names.append(name)
        (root / "mods" / "order").write_text("".join(f"{name}\n" for name in names))
        listing = "".join(f"{path.relative_to(root)}\n" for path in sorted(root.rglob("*")))
        pack = [tool("cpio"), "--quiet", "-o", "-H", "newc", "-R", "0:0"]
        archive = subprocess.run(pack, input=listing.encode(), cwd=root, capture_output=True, check=True).stdout
        whole = root / "initramfs.new"
        whole.write_bytes(archive)
        whole.rename(target)


def _modules_in_order(modules: Path, wanted: Sequence[str]) -> list[Path]:
    """Files of the modules and of all they need, each after what it needs. Modules built into the kernel have none."""
    depends = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        file, _, needs = line.partition(":")
        depends[file] = needs.split()
    by_name = {Path(file).name.split(".")[0].replace("-", "_"): file for file in depends}
    order: dict[str, None] = {}

    def add(path: str) -> None:
        for need in depends[path]:
            add(need)
        order.setdefault(path)

    for name in wanted:
        if path := by_name.get(name):
            add(path)
    return [modules / file for file in order]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
