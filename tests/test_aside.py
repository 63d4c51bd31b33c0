"""wlat's own threads ask for long time slices and keep off the writer's CPU, and nothing they start inherits that."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest

from wlat_tui.aside import Place, step_aside

READ_SLICE = "import re; print(re.search(r'se\\.slice +: +(\\d+)', open('/proc/self/sched').read())[1])"


def slice_ns() -> int:
    """Of the calling thread. Source: kernel/sched/debug.c, since 6.8 or so."""
    shown = Path("/proc/thread-self/sched")
    found = re.search(r"se\.slice +: +(\d+)", shown.read_text()) if shown.exists() else None
    if found is None:
        pytest.skip("this kernel does not show time slices")
    return int(found[1])


def test_a_thread_that_steps_aside_has_long_slices_and_what_it_starts_has_the_usual_ones() -> None:
    seen: dict[str, int] = {"usual": slice_ns()}

    def work() -> None:
        step_aside()
        seen["aside"] = slice_ns()
        seen["child"] = int(
            subprocess.run([sys.executable, "-c", READ_SLICE], capture_output=True, text=True, check=True).stdout
        )
        thread = Thread(target=lambda: seen.update(thread=slice_ns()))
        thread.start()
        thread.join()

    aside = Thread(target=work)
    aside.start()
    aside.join()
    if seen["aside"] == seen["usual"]:
        pytest.skip("this kernel has no slices of one's own (before Linux 6.12)")
    assert seen["aside"] == 6_000_000
    assert (seen["child"], seen["thread"]) == (seen["usual"], seen["usual"])


@pytest.fixture
def place() -> Iterator[Place]:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs")
    place = Place()
    yield place
    place.keep_off()


def test_every_thread_keeps_off_the_writers_cpu_and_comes_back(place: Place) -> None:
    everywhere = os.sched_getaffinity(0)
    cpu, told = min(everywhere), Event()
    with ThreadPoolExecutor(1) as other:
        tid = other.submit(threading.get_native_id).result()
        place.keep_off(frozenset(everywhere), frozenset({cpu}))
        assert place.avoided == {cpu}
        assert os.sched_getaffinity(0) == os.sched_getaffinity(tid) == everywhere - {cpu}
        later = Thread(target=told.wait)
        later.start()
        assert os.sched_getaffinity(later.native_id or 0) == everywhere - {cpu}
        # the writer moved: what it left is free again
        place.keep_off(frozenset({max(everywhere)}))
        assert os.sched_getaffinity(0) == os.sched_getaffinity(tid) == everywhere - {max(everywhere)}
        place.keep_off()
        assert os.sched_getaffinity(0) == os.sched_getaffinity(tid) == os.sched_getaffinity(later.native_id or 0) == everywhere
        told.set()
        later.join()


def test_what_is_started_everywhere_does_not_inherit_where_we_may_not_run(place: Place) -> None:
    everywhere = os.sched_getaffinity(0)
    show = [sys.executable, "-c", "import os; print(*sorted(os.sched_getaffinity(0)))"]
    place.keep_off(frozenset({min(everywhere)}))
    with place.everywhere():
        seen = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert seen.split() == [str(cpu) for cpu in sorted(everywhere)]
    assert os.sched_getaffinity(0) == everywhere - {min(everywhere)}


def test_where_no_cpu_would_be_left_it_runs_anywhere(place: Place) -> None:
    everywhere = os.sched_getaffinity(0)
    place.keep_off(frozenset(everywhere))
    assert (place.avoided, os.sched_getaffinity(0)) == (frozenset(), everywhere)
