"""The two dirty limits, each a ratio/bytes pair; what they have in common."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from wlat_tui.kernel.files import read_text
from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.host_setting import HostSetting
from wlat_tui.mitigations.knob import PairKnob
from wlat_tui.units import parse_size_bytes

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

MIB = 1 << 20
LEAST_BACKGROUND_BYTES, LEAST_LIMIT_BYTES = 16 * MIB, 64 * MIB
MOST_BACKGROUND_PCT, MOST_LIMIT_PCT, LEAST_LIMIT_PCT = 50, 60, 5
_PATH = "proc/sys/vm"


def available_bytes(root: Path) -> int | None:
    """About what the kernel takes its ratios of (node_dirtyable_memory: free and file pages). Source: /proc/meminfo."""
    rows = dict(re.findall(r"^(\w+):\s+([0-9]+) kB", read_text(root / "proc/meminfo") or "", re.MULTILINE))
    # MemAvailable came with 3.14; before it, MemTotal is near enough for a comparison of limits
    kbytes = rows.get("MemAvailable", rows.get("MemTotal"))
    return None if kbytes is None else int(kbytes) * 1024


def in_bytes(value: str | None, root: Path) -> int | None:
    """What ``ratio 20`` or ``bytes 1000`` comes to now; None when that cannot be said."""
    if value is None or not re.fullmatch(r"(ratio|bytes) [0-9]+", value):
        return None
    unit, number = value.split()
    whole = available_bytes(root)
    if unit == "bytes":
        return int(number)
    return None if whole is None else whole * int(number) // 100


def refuse_background(unit: str, number: int, root: Path) -> str | None:
    """Background writeback must begin well before writers are held up."""
    if unit == "bytes" and number < LEAST_BACKGROUND_BYTES:
        return f"{BACKGROUND.title}: below {LEAST_BACKGROUND_BYTES} bytes the disks would never rest"
    if unit == "ratio" and not 1 <= number <= MOST_BACKGROUND_PCT:
        return f"{BACKGROUND.title}: give a ratio from 1 to {MOST_BACKGROUND_PCT} per cent"
    return _refuse_order(f"{unit} {number}", LIMIT.read(root), root)


def refuse_limit(unit: str, number: int, root: Path) -> str | None:
    """Too low holds up every writer of the host for seconds, too high fills memory with pages that cannot be reclaimed."""
    whole = available_bytes(root)
    if unit == "bytes" and number < LEAST_LIMIT_BYTES:
        return f"{LIMIT.title}: below {LEAST_LIMIT_BYTES} bytes every writer of this host would be held up"
    if unit == "bytes" and (whole is None or number > whole * MOST_LIMIT_PCT // 100):
        return f"{LIMIT.title}: more than {MOST_LIMIT_PCT} % of available memory could not be reclaimed when needed"
    if unit == "ratio" and not LEAST_LIMIT_PCT <= number <= MOST_LIMIT_PCT:
        return f"{LIMIT.title}: give a ratio from {LEAST_LIMIT_PCT} to {MOST_LIMIT_PCT} per cent"
    return _refuse_order(BACKGROUND.read(root), f"{unit} {number}", root)


def _refuse_order(background: str | None, limit: str | None, root: Path) -> str | None:
    low, high = in_bytes(background, root), in_bytes(limit, root)
    if low is None or high is None:
        return "the two limits for dirty pages cannot be compared here (one of them, or /proc/meminfo, is missing)"
    if low >= high:
        return f"the background limit ({background}) must stay below the limit ({limit}), else the kernel uses half of that"
    return None


BACKGROUND = PairKnob("dirty_background", "dirty_background", refuse_background)
LIMIT = PairKnob("dirty_limit", "dirty", refuse_limit)


class DirtyPair(HostSetting):
    """One of the two pairs; subclasses give the texts."""

    knob: PairKnob
    offers: tuple[str, ...]
    typed = "per cent such as '10' or 'ratio 10', or an amount such as '256M' or 'bytes 268435456'"

    def choices(self, session: Session) -> tuple[Choice, ...]:
        values = dict.fromkeys((self.original(session), self.current(session), *self.offers))
        return tuple(self._choice(value) for value in values if value is not None and self.knob.well_formed(value))

    def _choice(self, value: str) -> Choice:
        unit, number = value.split()
        label = f"{number} % of available memory" if unit == "ratio" else f"{int(number) / MIB:.0f} MiB"
        return Choice(value, label, f"write {number} to /{_PATH}/{self.knob.stem}_{unit} (the kernel then zeroes its partner)")

    def parse(self, text: str) -> str:
        unit, _, rest = text.lower().partition(" ")
        value = text
        try:
            if unit == "bytes":
                value = f"bytes {parse_size_bytes(rest)}"
            elif unit == "ratio":
                value = f"ratio {rest.removesuffix('%').strip()}"
            elif unit.removesuffix("%").isdecimal() and not rest.strip("% "):
                value = f"ratio {unit.removesuffix('%')}"
            else:
                value = f"bytes {parse_size_bytes(text)}"
        except ValueError as error:
            raise ValueError(f"'{text[:40]}' is not a value for {self.knob.title}: give {self.typed}") from error
        return super().parse(value)
