"""Hatchling build hook: compiles the native core into the wheel (or beside the sources of an editable install)."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EXTENSION = "_native.abi3.so"


def missing_tools() -> str | None:
    """What the build lacks, with the command that brings it; None when nothing."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        return f"the C compiler '{compiler}' was not found: install one first (Debian: apt-get install gcc libc6-dev; Fedora: dnf install gcc)"  # noqa: E501
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if not header.exists():
        return f"the Python headers were not found ({header}): install them first (Debian: apt-get install python3-dev; Fedora: dnf install python3-devel)"  # noqa: E501
    return None


class NativeBuild(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `wlat_tui/_native.abi3.so` to the wheel and tags it cp311-abi3 for this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if sys.platform != "linux":
            raise SystemExit("wlat builds on Linux only: it measures the Linux page cache")
        if missing := missing_tools():
            raise SystemExit(f"wlat cannot be built: {missing}")
        root = Path(self.root)
        sys.path.insert(0, str(root / "native"))
        from ffi import compile_into

        with tempfile.TemporaryDirectory() as scratch:
            built = compile_into(Path(scratch))
            target = root / "wlat_tui" / EXTENSION
            # a new inode: an old copy may be mapped by a running wlat
            target.unlink(missing_ok=True)
            shutil.copy2(built, target)
        build_data["pure_python"] = False
        build_data["tag"] = f"cp311-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        build_data["artifacts"].append(f"/wlat_tui/{EXTENSION}")
