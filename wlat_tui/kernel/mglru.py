"""/sys/kernel/mm/lru_gen/enabled: the multi-generational LRU, since 6.1."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_line


def read_mglru(root: Path = ROOT) -> str | None:
    """As printed, e.g. "0x0007"; None when not built. Raises OSError."""
    return read_line(root / "sys/kernel/mm/lru_gen/enabled")


def is_on(text: str | None) -> bool | None:
    """Bit 0 is the switch itself (mm/vmscan.c LRU_GEN_CORE); old kernels and the y/n form are understood too."""
    if text is None:
        return None
    if text in ("y", "Y", "n", "N"):
        return text in ("y", "Y")
    return bool(int(text, 0) & 1)
