"""/sys/devices/system/clocksource: what CLOCK_MONOTONIC is read from. Not tsc or kvm-clock: a stamp may cost microseconds."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_line

HERE = Path("sys/devices/system/clocksource/clocksource0")


def read_clocksource(root: Path = ROOT) -> str | None:
    """The one in use; None when not told. Raises OSError."""
    return read_line(root / HERE / "current_clocksource")


def read_clocksources(root: Path = ROOT) -> tuple[str, ...]:
    """Those this machine has. Raises OSError."""
    return tuple((read_line(root / HERE / "available_clocksource") or "").split())
