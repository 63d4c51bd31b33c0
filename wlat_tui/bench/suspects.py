"""What the watcher costs others: CPU time of a neighbour that does nothing but system calls, with and without, in turns."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from wlat_tui.bench.figures import against, compare
from wlat_tui.bench.terminal import BenchError
from wlat_tui.evidence import Watch
from wlat_tui.kernel.mounts import find_mount
from wlat_tui.watch.probes import WATCH_PROBES
from wlat_tui.watch_client import parse_told, watcher_command

BATCH = 2_000
SPAWNS = 20
WARM_UP_S = 2.0
TOUCHED = ("fork + exec + exit", "open + close in proc")
TARGET = 1.02
"""Ratio of medians that counts as not measurable."""
TOUCHED_TARGET = 1.05
"""Of what the watcher does touch: births, and opening files of the filesystem with marks in it."""


def _calls() -> None:
    for _ in range(BATCH):
        os.getppid()


def _opens() -> None:
    for _ in range(BATCH // 10):
        os.close(os.open("/dev/null", os.O_RDONLY))


def _proc_opens() -> None:
    """In the same filesystem as the marked files."""
    for _ in range(BATCH // 10):
        os.close(os.open("/proc/self/stat", os.O_RDONLY))


def _spawns() -> None:
    for _ in range(SPAWNS):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)


@contextmanager
def _ping_pong() -> Iterator[Callable[[], None]]:
    """Two processes that wake each other through pipes: context switches."""
    code = "import os\nwhile os.read(0, 1):\n os.write(1, b'x')"
    pipe = subprocess.PIPE
    # in a session of its own: a Ctrl-C is not for it, it ends with its input
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, bufsize=0, start_new_session=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        into, out = other.stdin.fileno(), other.stdout.fileno()

        def work() -> None:
            for _ in range(BATCH // 10):
                os.write(into, b"x")
                os.read(out, 1)

        yield work
        other.stdin.close()


@contextmanager
def _watching(directory: Path, *, opens: bool = False) -> Iterator[tuple[Watch, ...]]:
    """A watcher that has armed what it can; yields its watches. Raises BenchError."""
    mount = find_mount(directory)
    if mount is None:
        raise BenchError("there is no /proc, so nothing can be watched")
    wish = {"device": mount.device_number, "filesystem": mount.filesystem, "mount_point": mount.mount_point}
    pipe = subprocess.PIPE
    with subprocess.Popen(watcher_command(), stdin=pipe, stdout=pipe, start_new_session=True) as watcher:
        assert watcher.stdin is not None
        assert watcher.stdout is not None
        watcher.stdin.write(json.dumps(wish | {"own": [os.getpid()], "avoid_cpus": [], "opens": opens}).encode() + b"\n")
        watcher.stdin.flush()
        line = watcher.stdout.readline()
        if not line:
            raise BenchError("the watcher did not start")
        try:
            yield parse_told(line).watches or ()
        finally:
            watcher.stdin.close()
            while watcher.stdout.read(1 << 16):  # what it had to tell; nobody may be held up by it
                continue


def _opens_refused(directory: Path) -> str:
    """Why opens are not traced here also when that is asked for (one sentence); "" when they are."""
    for opens in (False, True):
        with _watching(directory, opens=opens) as watches:
            watch = next(watch for watch in watches if watch.name == WATCH_PROBES)
        if watch.armed:
            return "" if opens else "kernel probes see every reader here"
    return watch.why


def _cpu_s() -> float:
    """CPU time of this process and of its children that have ended: what they were held up by others is not in it."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _each_us(work: Callable[[], None], count: int, seconds: float) -> float:
    """CPU time of one operation, as the quickest tenth has it: a shared host's caches and clocks make the others slower."""
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(times) < 5:
        began_s = _cpu_s()
        work()
        times.append((_cpu_s() - began_s) * 1e6 / count)
    return sorted(times)[len(times) // 10]


def run(directory: Path, seconds: float, rounds: int, say: Callable[[str], None]) -> list[str]:
    """Ratios per kind of work; lines for the terminal. ``seconds`` of each round are shared by all of them on each side."""
    rounds_of: list[dict[str, Mapping[str, float]]] = []
    armed = 0
    with _ping_pong() as switch:
        works: dict[str, tuple[Callable[[], None], int]] = {
            "system call": (_calls, BATCH),
            "open + close": (_opens, BATCH // 10),
            "open + close in proc": (_proc_opens, BATCH // 10),
            "pipe round trip": (switch, BATCH // 10),
            "fork + exec + exit": (_spawns, SPAWNS),
        }

        def measure(whole_s: float = seconds) -> dict[str, float]:
            return {name: _each_us(work, count, whole_s / len(works)) for name, (work, count) in works.items()}

        def watched(*, opens: bool = False) -> dict[str, float]:
            nonlocal armed
            with _watching(directory, opens=opens) as watches:
                armed = sum(watch.armed for watch in watches) - opens
                return measure()

        sides: dict[str, Callable[[], dict[str, float]]] = {"without": measure, "with": watched}
        say("suspects: warming up")
        refused = _opens_refused(directory)
        if not refused:
            sides["and opens"] = partial(watched, opens=True)
        measure(min(seconds, WARM_UP_S))  # caches, clocks and the other process
        for number in range(rounds):
            say(f"suspects: round {number + 1} of {rounds}")
            # the order changes every round, so that what drifts favours nobody
            rounds_of.append({side: sides[side]() for side in list(sides)[:: -1 if number % 2 else 1]})
    pairs = [(one["without"], one["with"]) for one in rounds_of]
    title = f"suspects: CPU time of a neighbour, without and with the watcher ({armed} watches armed)"
    lines = compare(title, "without", "with", pairs)
    if refused:
        lines.append(f"  opens traced (--watch-opens): n/a, {refused}")
    else:
        opened = [(one["without"], one["and opens"]) for one in rounds_of]
        lines += compare("  the same, opens traced (--watch-opens)", "without", "opens traced", opened)
    ratios = {name: median(on[name] / off[name] for off, on in pairs) for name in works}
    return lines + [
        against(f"{name}, ratio", ratios[name], TOUCHED_TARGET if name in TOUCHED else TARGET, "") for name in works
    ]
