"""/sys/kernel/mm/transparent_hugepage: huge pages for anonymous memory, and how hard the kernel tries to make them."""

from __future__ import annotations

import re
from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_line

HERE = Path("sys/kernel/mm/transparent_hugepage")
_CHOSEN = re.compile(r"\[(\S+)\]")


def parse_choice(text: str) -> str | None:
    """``always [madvise] never`` -> "madvise"."""
    match = _CHOSEN.search(text)
    return match[1] if match else None


def read_thp(root: Path = ROOT) -> str | None:
    """always, madvise or never; None when not built. Raises OSError."""
    return parse_choice(read_line(root / HERE / "enabled") or "")


def read_thp_defrag(root: Path = ROOT) -> str | None:
    """always, defer, defer+madvise, madvise or never; None when not built. Raises OSError."""
    return parse_choice(read_line(root / HERE / "defrag") or "")
