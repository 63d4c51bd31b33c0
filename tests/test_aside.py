"""wlat's own threads ask for long time slices, and nothing they start inherits that."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from wlat_tui.aside import step_aside

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
