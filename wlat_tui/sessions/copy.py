"""Frames from one recording into another, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from wlat_tui.frame import Frame
from wlat_tui.sessions.store import BLOCK_FRAMES, Store


def write_frames(store: Store, frames: Iterable[Frame]) -> None:
    """Append all frames, whole blocks at once. Raises sqlite3.Error, and whatever the frames raise."""
    coming = iter(frames)
    while batch := list(islice(coming, BLOCK_FRAMES)):
        store.append(batch)
