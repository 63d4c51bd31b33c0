"""Control groups that tests make."""

from __future__ import annotations

import errno
import time
from pathlib import Path

PATIENCE_S = 60.0


def remove_group(group: Path) -> None:
    """Remove a control group as soon as its last process is gone: wlat's children may end a moment after wlat.

    Raises:
        OSError: something lives in it still.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            group.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
