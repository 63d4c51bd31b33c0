"""The engine process: ``python -I -m wlat_tui.engine`` with the target directory as its working directory.

Settings arrive on stdin, ticks leave on stdout, one sentence on stderr when it cannot go on. Nothing but the native core runs
here, and nothing is imported for it that a writer's process should not carry.
"""

from __future__ import annotations

import os
import sys

from wlat_tui._native import lib as _lib  # not `wlat_tui.native`: what that imports takes 3 MB


def _check(result: int, attempt: str) -> None:
    if result < 0:
        raise OSError(-result, f"{attempt}: {os.strerror(-result)}")


def run_engine(dir_fd: int, in_fd: int, out_fd: int) -> None:
    """Be the engine until in_fd ends or a signal says so (the child process's whole life).

    Raises:
        OSError: settings out of range, or something could not be started.
    """
    _check(_lib.wl_engine_run(dir_fd, in_fd, out_fd), "running the writer")


def prepare_tracing() -> None:
    """Read what tracefs says about the tracepoints, while there are rights to (``wl_trace_prepare``).

    What cannot be read is said later, probe by probe.
    """
    _lib.wl_trace_prepare()


def become(uid: int, gid: int) -> None:
    """Give up root for this user, keeping only what the engine needs (``wl_become`` in native/wlat.h).

    Raises:
        OSError: the kernel refused.
    """
    _check(_lib.wl_become(uid, gid), f"becoming user {uid}")


def _run() -> None:
    # sudo says for whom: everything but the writer's few privileges is given up before the first file is opened
    if os.geteuid() == 0 and "SUDO_UID" in os.environ and "SUDO_GID" in os.environ:
        prepare_tracing()
        become(int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
    try:
        directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise OSError(error.errno, f"user {os.geteuid()} cannot open the target directory: {error.strerror}") from error
    run_engine(directory, sys.stdin.fileno(), sys.stdout.fileno())


def _main() -> int:
    try:
        _run()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        print(f"the engine ended: {reason}", file=sys.stderr, flush=True)
        # some of its threads may still run
        os._exit(1)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
