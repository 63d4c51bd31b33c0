"""The flight recorder's trigger: when the last minutes, kept in memory, are worth a file."""

from __future__ import annotations

from wlat_tui.frame import Frame, Span
from wlat_tui.units import format_ns

AFTERMATH_NS = 5_000_000_000
"""From a slow write to the writing out of the minutes before it: what followed is in the file too."""


class FlightWatch:
    """Looks for writes that take too long.

    Args:
        above_ns: longer than this; None: never by itself.
    """

    def __init__(self, above_ns: int | None) -> None:
        self._above_ns = above_ns
        self._due_ns: int | None = None
        self.reason: str | None = None
        """Why a file is about to be written; None: it is not. One for several slow writes in a row."""

    def due(self, frame: Frame) -> str | None:
        """Take a frame in; why it is time to write a file now, or None."""
        worst = frame.writer.worst[Span.SERVICE] if frame.writer is not None else None
        slow = self._above_ns is not None and worst is not None and worst.service_ns > self._above_ns
        if slow and worst is not None and self._due_ns is None:
            self._due_ns = frame.end_ns + AFTERMATH_NS
            self.reason = f"a write took {format_ns(worst.service_ns)}"
        if self._due_ns is None or frame.end_ns < self._due_ns:
            return None
        reason, self.reason, self._due_ns = self.reason, None, None
        return reason
