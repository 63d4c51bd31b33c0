"""Whatever order, loss or truncation the events come with: phases fill the stall exactly, and nothing counts twice."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.causes.makers import FULL, MS, PLAN, SWITCHES, TID, US, known
from tests.causes.test_chains import SLEEPS, SPINS
from wlat_tui.causes import CATALOGUE, explain
from wlat_tui.causes.phases import MAX_PHASES
from wlat_tui.evidence import Disturbance, StallTrace, Thread, TraceEvent
from wlat_tui.frame import Mode, Settings, Write, WriteClass

NAMES = sorted(
    {pair.begin for cause in CATALOGUE for pair in cause.pairs}
    | {pair.end for cause in CATALOGUE for pair in cause.pairs}
    | {
        "sched_switch", "sched_waking", "switch_out", "switch_out_preempted", "switch_in", "contention_begin", "contention_end",
        "mm_vmscan_throttled", "balance_dirty_pages", "folio_wait_writeback", "page_fault_user", "cpu_idle", "lost",
        "cpu_clock", "new_event",
    }
)  # fmt: skip
CHAINS = [
    (),
    ("vfs_write",),
    ("copy_folio_from_iter_atomic", "vfs_write"),
    *(tuple(frames.split()) for _, frames in (*SLEEPS.values(), *SPINS.values())),
]
moments = st.integers(-2_000, 12_000)


@st.composite
def events(draw: st.DrawFn) -> TraceEvent:
    numbers = draw(
        st.dictionaries(st.sampled_from(["prev_pid", "next_pid", "pid"]), st.sampled_from([0, 7, TID]), max_size=3)
        | st.just({"prev_pid": TID, "next_pid": 0})
    )
    for name, values in (
        ("prev_state", [0, 1, 2, 0x100]),
        ("lock_addr", [1, 2]),
        ("prev_prio", [10, 120]),
        ("next_prio", [10, 120]),
        ("usec_delayed", [0, 50, 10**7]),
        ("vec", [0, 3, 99]),
    ):
        if draw(st.booleans()):
            numbers = {**numbers, name: draw(st.sampled_from(values))}
    return TraceEvent(
        PLAN + draw(moments) * US,
        draw(st.sampled_from(NAMES)),
        draw(st.integers(0, 1)),
        draw(st.sampled_from(CHAINS)),
        numbers,
        draw(st.sampled_from([{}, {"next_comm": "hog"}, {"lock": "zone->lock"}])),
    )


@st.composite
def stalls(draw: st.DrawFn) -> Write:
    wake, service = draw(st.integers(0, 5_000)) * US, draw(st.integers(0, 8_000)) * US
    kind = draw(st.sampled_from(list(WriteClass)))
    return Write(PLAN, PLAN + wake, PLAN + wake + service, 0, 0, kind, draw(st.integers(0, 1)), draw(st.integers(0, 3)))


traces = st.none() | st.builds(
    lambda listed, start, stop, lost: StallTrace(PLAN, PLAN + start * US, PLAN + stop * US, tuple(listed), lost),
    st.lists(events(), max_size=40),
    moments,
    moments,
    st.integers(0, 5),
)
circumstances = st.builds(
    known,
    tracer=st.sampled_from([None, FULL, SWITCHES]),
    writer_tid=st.sampled_from([None, TID]),
    settings=st.builds(Settings, threshold_ns=st.sampled_from([1, MS]), mode=st.sampled_from(list(Mode))),
    counters=st.sampled_from([{}, {"allocstall_normal": 1}, {"zone_reclaim_success": 2}, {"pgscan_direct_throttle": 3}]),
    steal_ns=st.sampled_from([None, 0, 10 * MS, 5_000 * MS]),
    dirty_pages=st.sampled_from([None, 0, 900]),
    dirty_limit_pages=st.just(1_000),
    dirty_background_pages=st.just(500),
    neighbours=st.sampled_from([(), (Disturbance("fsync", "/data", Thread(3), PLAN, PLAN + MS),)]),
)


@settings(max_examples=200, deadline=None)
@given(stalls(), traces, circumstances)
def test_phases_fill_the_stall_without_overlap_and_shares_add_up(stall: Write, trace: StallTrace | None, seen: object) -> None:
    verdict = explain(stall, trace, seen)  # type: ignore[arg-type]
    assert stall.planned_ns <= verdict.begin_ns <= stall.begin_ns
    assert verdict.end_ns == max(stall.end_ns, verdict.begin_ns + 1)
    assert verdict.phases[0].begin_ns == verdict.begin_ns
    assert verdict.phases[-1].end_ns == verdict.end_ns
    assert all(a.end_ns == b.begin_ns for a, b in pairwise(verdict.phases))
    assert all(phase.length_ns > 0 for phase in verdict.phases)
    assert sum(share.spent_ns for share in verdict.shares) == verdict.span_ns
    assert len({share.cause for share in verdict.shares}) == len(verdict.shares)
    assert 0 <= verdict.explained_ns <= verdict.span_ns
    assert verdict.cause == verdict.shares[0].cause
    assert len(verdict.phases) <= MAX_PHASES
    by_cause = {
        cause: sum(p.length_ns for p in verdict.phases if p.cause == cause) for cause in {p.cause for p in verdict.phases}
    }
    assert by_cause == {share.cause: share.spent_ns for share in verdict.shares}


@settings(max_examples=50, deadline=None)
@given(stalls(), traces, st.randoms(use_true_random=False))
def test_the_order_in_which_events_are_listed_does_not_matter(stall: Write, trace: StallTrace | None, random: object) -> None:
    if trace is None:
        return
    # two records of one moment keep the order they came in
    listed = list({event.at_ns: event for event in trace.events}.values())
    shuffled = list(listed)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (
        explain(stall, StallTrace(PLAN, trace.from_ns, trace.to_ns, tuple(chosen), trace.lost), known())
        for chosen in (listed, shuffled)
    )
    assert one == other


def test_a_stall_of_thousands_of_pieces_keeps_exact_shares_and_few_phases() -> None:
    frames = tuple(SPINS["zone lock inlined"][1].split())
    listed = []
    for i in range(4_000):
        begin_ns = PLAN + 2 * US + i * 1_000
        listed.append(TraceEvent(begin_ns, "contention_begin", 1, frames, {"lock_addr": 1}))
        listed.append(TraceEvent(begin_ns + 600 + i % 7, "contention_end", 1, (), {"lock_addr": 1}))
    stall = Write(PLAN, PLAN + 2 * US, PLAN + 2 * US + 4 * MS, 0, 0, WriteClass.NEW_PAGE, 1, 0)
    verdict = explain(stall, StallTrace(PLAN, PLAN - US, PLAN + 9 * MS, tuple(listed)), known())
    assert {share.cause: share.spent_ns for share in verdict.shares}["zone_lock"] == sum(600 + i % 7 for i in range(4_000))
    assert len(verdict.phases) == MAX_PHASES
    assert verdict.phases[-1].end_ns == verdict.end_ns
