"""A host made of ordinary files, with the habits of the kernel that matter here: pairs, clamps, brackets, side effects."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

BOOT_ID = "11111111-2222-3333-4444-555555555555"
OTHER_BOOT_ID = "99999999-2222-3333-4444-555555555555"
VM = {
    "zone_reclaim_mode": "0",
    "min_free_kbytes": "67584",
    "watermark_scale_factor": "10",
    "compaction_proactiveness": "20",
    "swappiness": "60",
    "dirty_background_ratio": "10",
    "dirty_background_bytes": "0",
    "dirty_ratio": "20",
    "dirty_bytes": "0",
    "stat_interval": "1",
    "drop_caches": "0",
}
THP = "sys/kernel/mm/transparent_hugepage"
LARGEST = {"watermark_scale_factor": 400, "swappiness": 200}
"""What this kernel takes: a clamp below wlat's own limit (500), a refusal above the other."""
SETTINGS = {
    "zone_reclaim_mode": "7",
    "watermark_scale_factor": "200",
    "thp": "never",
    "thp_defrag": "defer",
    "compaction_proactiveness": "0",
    "swappiness": "10",
    "dirty_background": "bytes 67108864",
    "dirty_limit": "bytes 4294967296",
    "min_free_kbytes": "90000",
}
"""A safe change of every knob."""


def make_tree(root: Path, boot_id: str = BOOT_ID) -> Path:
    """Lay the files out under ``root`` (created) and return it."""
    files = {f"proc/sys/vm/{name}": value for name, value in VM.items()} | {
        "proc/sys/kernel/random/boot_id": boot_id,
        "proc/meminfo": "MemTotal:       24684092 kB\nMemFree:        20000000 kB\nMemAvailable:   20971520 kB",
        "sys/devices/system/node/node0/meminfo": "Node 0 MemTotal:       16684092 kB",
        "sys/devices/system/node/node1/meminfo": "Node 1 MemTotal:       8000000 kB",
        f"{THP}/enabled": "always [madvise] never",
        f"{THP}/defrag": "always defer defer+madvise [madvise] never",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def vm(root: Path, name: str) -> Path:
    return root / "proc/sys/vm" / name


def contents(root: Path) -> dict[str, bytes]:
    """Every byte of the tree."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def kernel(root: Path) -> Callable[[Path, str], None]:
    """What takes the place of `wlat_tui.mitigations.knob.put`: the write as the kernel would carry it out."""

    def store(path: Path, text: str) -> None:
        # a kernel setting is never half written, so neither may this file be when the process is killed
        new = path.with_name(path.name + ".new")
        new.write_text(f"{text}\n")
        os.replace(new, path)  # not rename, which tests make fail

    def put(path: Path, text: str) -> None:
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        if not os.access(path, os.W_OK) or path.stat().st_mode & 0o222 == 0:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        name = path.name
        if path.is_relative_to(root / THP):
            words = path.read_text().replace("[", "").replace("]", "").split()
            if text not in words:
                raise OSError(errno.EINVAL, "Invalid argument", str(path))
            store(path, " ".join(f"[{word}]" if word == text else word for word in words))
            if name == "enabled":
                store(vm(root, "min_free_kbytes"), "19832" if text == "never" else "67584")
            return
        number = int(text)
        if name == "watermark_scale_factor":
            number = min(number, LARGEST[name])
        elif number > LARGEST.get(name, number):
            raise OSError(errno.EINVAL, "Invalid argument", str(path))
        stem, _, unit = name.rpartition("_")
        if stem in ("dirty", "dirty_background") and path.read_text().strip() != text:
            store(path.with_name(f"{stem}_{'bytes' if unit == 'ratio' else 'ratio'}"), "0")
        store(path, str(number))

    return put


def main() -> None:
    """A keeper whose host is a tree: ``tree.py ROOT LEDGER_DIRECTORY``. The real one takes no arguments."""
    from wlat_tui import keeper
    from wlat_tui.mitigations import knob

    root = Path(sys.argv[1])
    setattr(knob, "put", kernel(root))  # noqa: B010 - a plain assignment is refused by the type checker
    sys.exit(keeper.serve(root, Path(sys.argv[2])))


if __name__ == "__main__":
    main()
