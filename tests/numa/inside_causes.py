"""Run by test_causes.py inside a guest: ``python -m tests.numa.inside_causes OUT NAME...`` makes experiments of tests/causes.

What wlat called their stalls is left in OUT/causes.json and judged outside, so that one that fails hides no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.causes.__main__ import row
from tests.causes.background import LISTENED_S
from tests.causes.catch import Caught, catch
from tests.causes.experiments import EXPERIMENTS, Experiment
from tests.causes.rig import Rig
from tests.numa.chapters import quieten, with_mglru
from tests.numa.loads import INSTEAD
from wlat_tui.causes import Family
from wlat_tui.evidence import TraceLevel
from wlat_tui.frame import Settings
from wlat_tui.model.stalls import Explained

MS = 1_000_000
ENOUGH = 12
PATIENCE_S, CONTROL_S = 90.0, 25.0
STOP = Path("/job/stop")
STOPPED_S = 0.4
PLATFORM = (Family.SCHEDULER, Family.INTERRUPT, Family.HOST, Family.UNKNOWN)


@contextlib.contextmanager
def stopping_the_machine(rig: Rig) -> Iterator[list[int]]:
    """The hypervisor runs nothing of this machine for a while, again and again."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(1.0):
            begin_ns = time.monotonic_ns()
            STOP.write_text(str(STOPPED_S))
            while STOP.exists() and not done.wait(0.05):
                pass
            rig.stopped.append((begin_ns, time.monotonic_ns()))

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield []
    finally:
        done.set()
        thread.join()


MACHINE_STOPPED = Experiment("machine stopped", ("steal", "suspended"), stopping_the_machine, platform=True)


def in_a_guest(experiment: Experiment) -> Experiment:
    """At the pace of an emulated CPU: few writes, of one new page each.

    They take it up to a millisecond anyway, and several when its own host has others to run: what counts stands out from that.
    """
    paced: Settings = replace(
        experiment.settings,
        interval_ns=10 * MS,
        write_bytes=4096,
        threshold_ns=2 * MS,
        tick_ns=1000 * MS,
        # no segment is retired meanwhile, which would give its pages back
        segment_bytes=256 << 20 if experiment.disk is None else experiment.settings.segment_bytes,
        disk_limit_bytes=1500 << 20 if experiment.disk is None else experiment.settings.disk_limit_bytes,
    )
    if experiment.platform:
        paced = replace(paced, threshold_ns=100 * MS)
    makes = INSTEAD.get(experiment.name, experiment.load)

    @contextlib.contextmanager
    def load(rig: Rig) -> Iterator[list[int]]:
        # one CPU for everything: the writer goes first, though not in real time, which would let it use the reserves
        os.setpriority(os.PRIO_PROCESS, rig.writer_tid, -20)
        with makes(rig) as pids:
            for pid in pids:
                os.setpriority(os.PRIO_PROCESS, pid, 19)
            yield pids

    return replace(experiment, settings=paced, pinned=False, load=load, above_background=not experiment.platform)


def told(caught: Caught) -> Mapping[str, Any]:
    """What is judged outside. Shares in percent."""
    first = max(caught.right, key=lambda stall: stall.verdict.span_ns, default=None)
    stopped = [stall for stall in caught.stalls if any(meets(stall, *window) for window in caught.windows)]
    return {
        "row": row(caught),
        "counts": caught.counts,
        "right": len(caught.right),
        "without_trace": sum(stall.verdict.level is TraceLevel.NOTHING for stall in caught.stalls),
        "explained_pct": caught.explained_pct,
        "seconds": round(caught.seconds, 1),
        "gaps": caught.gaps,
        "stopped": len(caught.windows),
        "stalls_when_stopped": Counter(stall.verdict.cause for stall in stopped),
        "memory_blamed": [shown(stall) for stall in caught.stalls if stall.cause.family in (Family.MEMORY, Family.LOCK)][:5],
        "kernel_blamed": [shown(stall) for stall in stopped if stall.cause.family not in PLATFORM][:5],
        "phases": Counter(phase.cause for stall in caught.stalls for phase in stall.verdict.phases),
        "example": None if first is None else shown(first),
        "others": [shown(stall) for stall in caught.stalls if stall not in caught.right][-5:],
    }


def meets(stall: Explained, begin_ns: int, end_ns: int) -> bool:
    """Whether the stall contains most of the time the machine was stopped."""
    verdict = stall.verdict
    return min(verdict.end_ns, end_ns) - max(verdict.begin_ns, begin_ns) > STOPPED_S * 0.8e9


def shown(stall: Explained) -> Mapping[str, Any]:
    """One stall as its verdict tells it."""
    verdict = stall.verdict
    return {
        "cause": verdict.cause,
        "span_us": verdict.span_ns // 1000,
        "service_us": stall.write.service_ns // 1000,
        "explained_us": verdict.explained_ns // 1000,
        "phases": [
            {"cause": phase.cause, "us": phase.length_ns // 1000, "evidence": phase.evidence, "chain": phase.chain[:12]}
            for phase in sorted(verdict.phases, key=lambda phase: -phase.length_ns)[:5]
        ],
    }


def main(arguments: list[str]) -> int:
    out = Path(arguments[0])
    quieten()
    with_mglru(False)
    results: dict[str, Mapping[str, Any]] = {}
    known = {experiment.name: experiment for experiment in (*EXPERIMENTS, MACHINE_STOPPED)}
    for experiment in map(known.__getitem__, arguments[1:]):
        try:
            control = experiment is MACHINE_STOPPED or not experiment.expected
            enough = (lambda _: False) if control else (lambda caught: len(caught.right) >= ENOUGH)
            seconds = CONTROL_S if control else PATIENCE_S
            caught = asyncio.run(catch(in_a_guest(experiment), seconds, enough, 0.0 if experiment.platform else LISTENED_S))
            results[experiment.name] = told(caught)
        except Exception:
            results[experiment.name] = {"failed": traceback.format_exc()}
        print(experiment.name, json.dumps(results[experiment.name], indent=1), flush=True)
        (out / "causes.json").write_text(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
