"""A load's own process: ``python -I -m wlat_tui.loads NAME OPTIONS`` with the directory for its files as working directory.

Its stdin is a pipe from the one who started it, its stdout one to it: a byte says that the work begins.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys

from wlat_tui.loads import catalogue

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends; ends at once when that has happened already."""
    # prctl(2): the signal comes when the parent thread ends, so it must be started by one that lives as long as it is wanted
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "the kernel refuses to end this load with its parent")
    hangup = select.poll()
    hangup.register(sys.stdin.fileno(), 0)
    if hangup.poll(0):
        os._exit(1)


def main(arguments: list[str]) -> int:
    name, chosen = arguments
    try:
        die_with_parent()
        load = catalogue()[name](**json.loads(chosen))
        os.write(sys.stdout.fileno(), b"\n")
        load.run()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
