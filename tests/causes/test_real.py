"""Causes produced for real on this host, by a whole wlat without its screen: right name, right process, nothing invented.

What runs always is quick and robust. All others, and counts of what they were named: ``python -m tests.causes`` (WLAT_CAUSES=1
makes the suite run them too: minutes, and some hold locks of the whole host).
"""

from __future__ import annotations

import os

import pytest

from tests.causes.catch import Caught, catch
from tests.causes.experiments import EXPERIMENTS, Experiment
from tests.causes.rig import Impossible
from wlat_tui.causes import Family, cause_named

pytestmark = pytest.mark.root

PATIENCE_S = 180.0
"""Seconds usually do. On a machine loaded tenfold the tracer's ring is overwritten before it is read, time and again."""
ENOUGH = 3
EXPLAINED_PCT = 90.0
QUICK = [experiment for experiment in EXPERIMENTS if experiment.quick]
SLOW = [experiment for experiment in EXPERIMENTS if not experiment.quick and experiment.expected]
PLATFORM = (Family.SCHEDULER, Family.INTERRUPT, Family.HOST, Family.UNKNOWN)
asked = pytest.mark.skipif(
    os.environ.get("WLAT_CAUSES") != "1",
    reason="takes minutes and disturbs the host (locks of the allocator, journals): WLAT_CAUSES=1 includes it",
)


def well_explained(caught: Caught) -> int:
    """Stalls with an expected name, at least nine tenths explained, and the load's own process where one is to be named."""
    return sum(
        stall.verdict.explained_pct >= EXPLAINED_PCT and (not caught.experiment.by_load or caught.names_load(stall))
        for stall in caught.right
    )


async def made(experiment: Experiment, seconds: float) -> Caught:
    try:
        return await catch(experiment, seconds, lambda caught: well_explained(caught) >= ENOUGH)
    except Impossible as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("experiment", [e for e in QUICK if e.expected != ("suspended",)], ids=lambda e: e.name)
async def test_a_cause_that_was_produced_is_named_and_explained(experiment: Experiment) -> None:
    caught = await made(experiment, PATIENCE_S)
    assert well_explained(caught) >= ENOUGH, (caught.counts, caught.explained_pct, caught.seconds)


async def test_a_stopped_engine_is_a_gap_and_no_cause_is_invented_for_it() -> None:
    (experiment,) = (e for e in QUICK if e.expected == ("suspended",))
    try:
        caught = await catch(experiment, PATIENCE_S, lambda caught: caught.gaps >= ENOUGH)
    except Impossible as why:
        pytest.skip(str(why))
    assert caught.gaps >= ENOUGH
    for stall in caught.stalls:
        stopped = any(begin <= stall.write.begin_ns and stall.write.end_ns >= end for begin, end in caught.windows)
        assert not stopped or cause_named(stall.verdict.cause).family in PLATFORM, stall.verdict


@asked
@pytest.mark.parametrize("experiment", SLOW, ids=lambda e: e.name)
async def test_a_cause_is_the_most_frequent_name_while_it_is_produced(experiment: Experiment) -> None:
    caught = await made(experiment, 60.0)
    assert caught.right, (caught.counts, caught.seconds)
    assert caught.explained_pct is not None
    assert caught.explained_pct >= EXPLAINED_PCT
    if caught.seconds >= 60.0:
        assert caught.counts.most_common(1)[0][0] in experiment.expected, caught.counts


@asked
async def test_a_quiet_writer_has_no_stall_of_the_kernels_making() -> None:
    (experiment,) = (e for e in EXPERIMENTS if e.name == "quiet")
    try:
        caught = await catch(experiment, 20.0)
    except Impossible as why:
        pytest.skip(str(why))
    wrong = [stall for stall in caught.stalls if cause_named(stall.verdict.cause).family not in PLATFORM]
    # the journal of the quiet filesystem commits now and then by itself, on a disk that others use
    assert not [stall for stall in wrong if cause_named(stall.verdict.cause).family is not Family.FILESYSTEM], wrong
