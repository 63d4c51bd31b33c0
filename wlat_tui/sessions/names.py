"""Names of recordings that nobody has named."""

from __future__ import annotations

import platform
import time
from pathlib import Path


def default_path(kind: str = "") -> Path:
    """A name that sorts by time and says whose it is."""
    host = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in platform.node()) or "host"
    return Path("-".join(part for part in ("wlat", host, kind, time.strftime("%Y%m%d-%H%M%S")) if part) + ".wlat")
