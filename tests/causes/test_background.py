"""What an experiment counts stands out from what writes take without its load."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.causes.__main__ import row
from tests.causes.background import Background
from tests.causes.catch import Caught
from tests.causes.experiments import EXPERIMENTS, MS
from wlat_tui.histogram import bucket_of_ns


@pytest.mark.parametrize(
    ("slow", "threshold_ms"),
    [(1, 2), (2, 12)],
    ids=["one write in a thousand may be slower", "two may not"],
)
def test_a_stall_takes_twice_what_writes_do_without_the_load(slow: int, threshold_ms: int) -> None:
    background = Background()
    background.services.count({bucket_of_ns(500_000): 1000 - slow, bucket_of_ns(5_900_000): slow})
    assert background.threshold_ns(2 * MS) == threshold_ms * MS


def test_the_row_says_above_what_was_counted() -> None:
    quiet = next(e for e in EXPERIMENTS if e.name == "quiet")
    quiet = replace(quiet, settings=replace(quiet.settings, threshold_ns=8 * MS))
    assert "threshold 8.00ms, background p99.9 3.10ms" in row(Caught(quiet, (), (), 0, 25.0, background_ns=3_100_000))
    assert "threshold" not in row(Caught(quiet, (), (), 0, 25.0))
