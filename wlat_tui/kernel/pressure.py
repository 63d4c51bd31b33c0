"""/proc/pressure: pressure stall information, since 4.20 (may be off: CONFIG_PSI_DEFAULT_DISABLED, psi=0)."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.frame import Pressure
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_text

RESOURCES = ("cpu", "memory", "io", "irq")


def parse_pressure(text: str, resource: str) -> tuple[Pressure, ...]:
    """Lines ``some|full avg10= avg60= avg300= total=``. `cpu` has no full line before 5.13, `irq` only a full one."""
    found = []
    for line in text.splitlines():
        kind, *pairs = line.split()
        fields = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if {"avg10", "avg60", "avg300", "total"} <= fields.keys():
            short, middle, long = (float(fields[name]) for name in ("avg10", "avg60", "avg300"))
            found.append(Pressure(resource, kind, short, middle, long, int(fields["total"])))
    return tuple(found)


def read_pressure(root: Path = ROOT) -> tuple[Pressure, ...] | None:
    """Every line of every resource; None when this kernel keeps no pressure information.

    Raises:
        OSError: EOPNOTSUPP when it is built in but switched off (boot with psi=1).
    """
    texts = {resource: read_text(root / "proc/pressure" / resource) for resource in RESOURCES}
    if all(text is None for text in texts.values()):
        return None
    return tuple(line for resource, text in texts.items() if text is not None for line in parse_pressure(text, resource))
