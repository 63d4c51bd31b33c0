"""Moments of a recording as people write them."""

from __future__ import annotations

from datetime import datetime, time

from wlat_tui.sessions.recording import Recording
from wlat_tui.units import parse_duration_ns


def parse_moment(text: str, recording: Recording) -> int:
    """``"90s"``, ``"10m"`` (since its start), ``"03:00:05"`` or ``"2025-06-02T03:00:05"`` (local time) -> CLOCK_MONOTONIC ns.

    A time of day is the first one after the start. The wall clock may have been set during the recording: the first frame that
    reaches the moment counts.

    Raises:
        ValueError: it is none of these, or the recording is empty or ended before (one sentence).
        SessionError: the recording is damaged.
    """
    span_ns = recording.span_ns
    started = recording.row("SELECT wall_ns FROM frame ORDER BY number LIMIT 1")
    if span_ns is None or started is None:
        raise ValueError(f"{recording.path} holds no frame")
    try:
        return span_ns[0] + parse_duration_ns(text)
    except ValueError:
        wall_ns = _wall_ns(text, int(started[0]))
    found = recording.row("SELECT end_ns FROM frame WHERE wall_ns > ? ORDER BY number LIMIT 1", (wall_ns,))
    if found is None:
        raise ValueError(f"the recording ended before {text}")
    return int(found[0]) - 1


def _wall_ns(text: str, started_ns: int) -> int:
    try:
        if "-" in text:
            return round(datetime.fromisoformat(text).astimezone().timestamp() * 1e9)
        clock = time.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"'{text}' is not a moment: write 90s or 10m since the start, 03:00:05, or 2025-06-02T03:00:05"
        ) from None
    started = datetime.fromtimestamp(started_ns / 1e9).astimezone()
    moment = datetime.combine(started.date(), clock).astimezone()
    wall_ns = round(moment.timestamp() * 1e9)
    return wall_ns if wall_ns >= started_ns else wall_ns + 86_400_000_000_000
