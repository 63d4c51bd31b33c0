"""/proc/cpuinfo: which CPU this is. Only its beginning is read: the first CPU stands for all."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from wlat_tui.kernel import ROOT

BEGINNING_BYTES = 4096
"""More than one CPU's paragraph takes."""
NAMES = ("model name", "cpu", "Model", "machine")
"""What the line is called: x86 (and arm64 for 32-bit programs), POWER, riscv and boards, s390."""


def parse_cpu_model(text: str) -> str | None:
    """The model of the first CPU; None: the kernel does not tell (most arm64)."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon and value.strip():
            found.setdefault(name.strip(), value.strip())
    return next((found[name] for name in NAMES if name in found), None)


@cache
def read_cpu_model(root: Path = ROOT) -> str | None:
    """Read once: before 5.18 opening the file interrupted every CPU that was not idle. Raises OSError."""
    try:
        with (root / "proc/cpuinfo").open(encoding="utf-8", errors="replace") as file:
            return parse_cpu_model(file.read(BEGINNING_BYTES))
    except FileNotFoundError:
        return None
