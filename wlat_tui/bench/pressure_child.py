"""Child of `wlat bench effect`: fills the page cache by reading an open file over and over, until its parent is gone.

    python -m wlat_tui.bench.pressure_child FD

A hole reads as zeros without touching the disk, yet every page of it is cached.
"""

from __future__ import annotations

import mmap
import os
import sys

PIECE_BYTES = 1 << 20


def main(arguments: list[str]) -> int:
    fd, parent = int(arguments[0]), os.getppid()
    with open(fd, "rb", buffering=0) as file, mmap.mmap(-1, PIECE_BYTES) as piece:
        while os.getppid() == parent:
            if not file.readinto(piece):
                file.seek(0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
