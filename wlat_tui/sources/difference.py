"""What changed between two states of the engine's settings, for the mark on the time axis."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum

from wlat_tui.frame import Settings


def difference(before: Settings, after: Settings) -> tuple[str | None, str | None]:
    """The first field that differs, as text before and after; (None, None) when none does."""
    for name in (field.name for field in fields(Settings)):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            return _text(old), _text(new)
    return None, None


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value) or "any"
    return str(value)
