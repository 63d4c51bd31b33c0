"""What a verdict says of hand-written traces: phases in order, nothing twice, the rest unexplained."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.causes.makers import (
    FULL,
    MS,
    PLAN,
    SWITCHES,
    US,
    a_host,
    a_stall,
    a_trace,
    back,
    event,
    known,
    out,
    waking,
)
from wlat_tui.causes import Circumstances, Confidence, Verdict, blind_causes, cause_named, explain
from wlat_tui.evidence import Disturbance, StallTrace, Thread, TraceEvent, TraceLevel
from wlat_tui.frame import Settings, Write, WriteClass


def checked(verdict: Verdict) -> Verdict:
    """Phases and shares add up to the stall exactly."""
    assert verdict.phases[0].begin_ns == verdict.begin_ns
    assert verdict.phases[-1].end_ns == verdict.end_ns
    assert all(a.end_ns == b.begin_ns for a, b in pairwise(verdict.phases))
    assert all(phase.length_ns > 0 for phase in verdict.phases)
    assert sum(share.spent_ns for share in verdict.shares) == verdict.span_ns
    assert 0 <= verdict.explained_pct <= 100
    return verdict


def phases_us(verdict: Verdict) -> list[tuple[str, float]]:
    return [(phase.cause, phase.length_ns / US) for phase in checked(verdict).phases]


RECLAIM = (
    "try_to_free_pages __alloc_pages_slowpath.constprop.0 __alloc_frozen_pages_noprof alloc_pages_mpol "
    "folio_alloc_noprof __filemap_get_folio ext4_da_write_begin"
)
SPIN = "native_queued_spin_lock_slowpath _raw_spin_lock_irqsave"


def test_direct_reclaim_is_the_time_between_its_events_and_the_rest_stays_unexplained() -> None:
    stall = a_stall(5 * MS)
    trace = a_trace(
        event(502, "mm_vmscan_direct_reclaim_begin", RECLAIM, order=0),
        event(4_902, "mm_vmscan_direct_reclaim_end", (), nr_reclaimed=64),
    )
    verdict = explain(stall, trace, known())
    assert phases_us(verdict) == [("unexplained", 500), ("direct_reclaim", 4_400), ("unexplained", 100)]
    assert (verdict.cause, verdict.confidence) == ("direct_reclaim", Confidence.TRACED)
    assert verdict.explained_pct == 88
    assert verdict.main.chain[0] == "try_to_free_pages"
    assert "__alloc_pages_slowpath" in verdict.main.chain
    assert "nr_reclaimed 64" in verdict.main.evidence


def test_nested_time_is_counted_once_by_what_lies_innermost() -> None:
    lru = f"{SPIN} folio_lruvec_lock_irqsave shrink_inactive_list shrink_lruvec do_try_to_free_pages {RECLAIM}"
    trace = a_trace(
        event(2, "mm_vmscan_direct_reclaim_begin", RECLAIM),
        event(1_002, "contention_begin", lru, lock_addr=7),
        event(2_002, "contention_end", (), lock_addr=7),
        out(3_002, f"__schedule __cond_resched shrink_lruvec do_try_to_free_pages {RECLAIM}", state=0x100, by=77, comm="hog"),
        back(4_002, by=77, comm="hog"),
        event(5_002, "mm_vmscan_direct_reclaim_end"),
    )
    verdict = explain(a_stall(5 * MS), trace, known())
    assert phases_us(verdict) == [
        ("direct_reclaim", 1_000), ("lru_lock", 1_000), ("direct_reclaim", 1_000), ("preempted", 1_000),
        ("direct_reclaim", 1_000),
    ]  # fmt: skip
    assert verdict.cause == "direct_reclaim"
    assert verdict.explained_pct == 100
    assert verdict.phases[3].by == Thread(77, "hog")


def test_what_a_page_fault_did_before_it_slept_is_its_own_time_less_the_interrupts_that_hit_it() -> None:
    swapped = "folio_wait_bit_common __folio_lock_or_retry do_swap_page handle_mm_fault exc_page_fault fault_in_readable"
    trace = a_trace(
        event(102, "page_fault_kernel", "exc_page_fault fault_in_readable"),
        event(202, "irq_handler_entry", irq=36),
        event(252, "irq_handler_exit", irq=36),
        out(602, f"schedule io_schedule {swapped}"),
        event(2_002, "switch_in"),
    )
    verdict = explain(a_stall(2 * MS), trace, known())
    assert phases_us(verdict) == [
        ("unexplained", 100), ("page_fault_major", 100), ("hard_irq", 50), ("page_fault_major", 1_750),
    ]  # fmt: skip


def test_a_service_stall_does_not_count_what_lay_before_write() -> None:
    verdict = explain(a_stall(5 * MS, wake_ns=900 * US), a_trace(), known())
    assert (verdict.begin_ns, verdict.span_ns) == (PLAN + 900 * US, 5 * MS)


def test_a_late_wake_is_split_at_the_moment_the_timer_fired() -> None:
    stall = a_stall(10 * US, wake_ns=5 * MS)
    trace = a_trace(
        event(-90, "sched_switch", (), prev_pid=4000, prev_state=1, next_pid=0, next_comm="swapper/1"),
        event(500, "sched_switch", (), prev_pid=0, prev_state=0, next_pid=55, next_comm="stress"),
        waking(1_000),
        back(4_990, by=55, comm="stress"),
    )
    verdict = explain(stall, trace, known())
    assert phases_us(verdict) == [("late_timer", 1_000), ("run_queue", 3_990), ("unexplained", 20)]
    assert verdict.cause == "run_queue"
    assert verdict.phases[1].by == Thread(55, "stress")
    assert "stress (55)" in verdict.phases[1].evidence


def test_a_late_wake_whose_timer_nobody_saw_fire_only_may_have_been_the_timer() -> None:
    """Without privileges only the switches are told: the writer may as well have waited for its CPU."""
    trace = a_trace(event(-90, "switch_out"), event(4_990, "switch_in"))
    verdict = explain(a_stall(10 * US, wake_ns=5 * MS), trace, known())
    assert (verdict.cause, verdict.confidence) == ("late_timer", Confidence.COINCIDED)


@pytest.mark.parametrize(
    ("late_us", "had_by", "named"), [(400_000, 0, "steal"), (9_000, 0, "late_timer"), (400_000, 7, "late_timer")]
)
def test_a_timer_that_fires_far_too_late_on_an_idle_cpu_was_held_up_by_the_host(late_us: int, had_by: int, named: str) -> None:
    """No steal is counted for a machine that is stopped. With a task on the CPU its interrupts may have been off."""
    trace = a_trace(
        event(-90, "sched_switch", (), prev_pid=4000, prev_state=1, next_pid=had_by, next_comm="x"),
        waking(late_us),
        back(late_us + 10, by=had_by, comm="x"),
    )
    verdict = explain(a_stall(10 * US, wake_ns=(late_us + 20) * US), trace, known())
    assert verdict.cause == named
    assert (verdict.confidence is Confidence.COINCIDED) == (named == "steal")


def test_an_idle_cpu_that_takes_its_time_is_not_called_a_run_queue() -> None:
    trace = a_trace(
        event(-90, "sched_switch", (), prev_pid=4000, prev_state=1, next_pid=0, next_comm="swapper/1"), waking(10), back(3_000)
    )
    verdict = explain(a_stall(10 * US, wake_ns=3 * MS), trace, known())
    assert verdict.cause == "idle_exit"


def test_a_kernel_that_records_no_switch_from_idle_still_tells_who_had_the_cpu() -> None:
    trace = a_trace(
        event(-90, "sched_switch", (), prev_pid=4000, prev_state=1, next_pid=0, next_comm="swapper/1"),
        waking(10),
        event(3_900, "sched_switch", (), prev_pid=55, prev_comm="hog", prev_state=1, next_pid=9, next_comm="ksoftirqd/1"),
        back(3_990, by=9, comm="ksoftirqd/1"),
    )
    verdict = explain(a_stall(10 * US, wake_ns=4 * MS), trace, known())
    assert (verdict.cause, verdict.main.by) == ("run_queue", Thread(55, "hog"))


def test_a_sleep_ends_at_its_waking_where_the_switch_back_from_idle_is_not_recorded() -> None:
    trace = a_trace(
        out(10, "__schedule schedule io_schedule folio_wait_writeback __filemap_get_folio"),
        waking(2_010),
        event(4_100, "sched_switch", (), prev_pid=4000, prev_state=1, next_pid=0, next_comm="swapper/1"),
    )
    verdict = explain(a_stall(4 * MS), trace, known())
    assert phases_us(verdict) == [("unexplained", 8), ("stable_page", 2_000), ("unexplained", 1_992)]


def test_a_late_wake_without_a_trace_is_a_late_wake_by_the_writers_own_clock() -> None:
    verdict = explain(a_stall(10 * US, wake_ns=3 * MS), None, known(tracer=None))
    assert (verdict.cause, verdict.confidence, verdict.level) == ("late_timer", Confidence.COINCIDED, TraceLevel.NOTHING)
    assert phases_us(verdict) == [("late_timer", 3_000), ("unexplained", 10)]


def test_a_write_that_queued_is_judged_by_its_service_alone() -> None:
    verdict = explain(a_stall(2 * MS, wake_ns=30 * MS, backlog=4), None, known(tracer=None))
    assert verdict.span_ns == 2 * MS


def test_a_sleep_ends_at_its_waking_and_what_follows_is_waiting_for_the_cpu() -> None:
    sleep = (
        "__schedule schedule io_schedule wait_transaction_locked add_transaction_credits start_this_handle jbd2__journal_start"
    )
    trace = a_trace(
        out(10, sleep),
        event(20, "sched_switch", (), prev_pid=0, prev_state=0, next_pid=9, next_comm="cc1"),
        waking(3_010),
        back(4_010),
    )
    verdict = explain(a_stall(4_100 * US), trace, known())
    assert phases_us(verdict)[1:3] == [("jbd2_transaction", 3_000), ("run_queue", 1_000)]


def test_a_fifo_writer_that_gives_way_to_an_ordinary_thread_was_throttled() -> None:
    spin = "__schedule schedule irqentry_exit_to_user_mode asm_sysvec_apic_timer_interrupt"
    trace = a_trace(out(10, spin, state=0x100, by=8, comm="make", prev_prio=89, next_prio=120), back(50_010))
    assert explain(a_stall(51 * MS), trace, known(fifo=True)).cause == "rt_throttling"


def test_preemption_at_the_end_of_an_interrupt_is_preemption_not_the_interrupt() -> None:
    frames = "__schedule preempt_schedule_irq irqentry_exit asm_sysvec_apic_timer_interrupt"
    trace = a_trace(out(10, frames, state=0x100, by=8, comm="make"), back(5_000))
    assert explain(a_stall(5 * MS), trace, known()).cause == "preempted"


def test_a_write_that_begins_by_spinning_for_the_inodes_lock_is_put_down_to_it_as_coincided() -> None:
    frames = ("rwsem_down_write_slowpath", "down_write", "ext4_buffered_write_iter", "vfs_write")
    trace = a_trace(event(3_002, "contention_begin", frames, lock_addr=1), event(4_002, "contention_end", (), lock_addr=1))
    verdict = explain(a_stall(4 * MS), trace, known())
    assert phases_us(verdict) == [("inode_rwsem", 3_000), ("inode_rwsem", 1_000)]
    assert verdict.confidence is Confidence.COINCIDED


def test_interrupts_and_soft_interrupts_are_taken_out_of_what_they_hit() -> None:
    trace = a_trace(
        event(2, "mm_vmscan_direct_reclaim_begin", RECLAIM),
        event(1_002, "irq_handler_entry", (), irq=24, name="virtio0-req.1"),
        event(1_502, "irq_handler_exit", (), irq=24),
        event(1_502, "softirq_entry", (), vec=3),
        event(3_502, "softirq_exit", (), vec=3),
        event(5_002, "mm_vmscan_direct_reclaim_end"),
    )
    verdict = explain(a_stall(5 * MS), trace, known())
    assert {share.cause: share.spent_ns // US for share in verdict.shares} == {
        "direct_reclaim": 2_500, "soft_irq": 2_000, "hard_irq": 500,
    }  # fmt: skip
    assert "virtio0-req.1" in next(phase.evidence for phase in verdict.phases if phase.cause == "hard_irq")
    assert "NET_RX" in next(phase.evidence for phase in verdict.phases if phase.cause == "soft_irq")


def test_spinning_inside_an_interrupt_is_the_interrupts_time() -> None:
    frames = f"{SPIN} free_pcppages_bulk rcu_core handle_softirqs __irq_exit_rcu sysvec_apic_timer_interrupt"
    trace = a_trace(event(10, "contention_begin", frames, lock_addr=1), event(4_000, "contention_end", (), lock_addr=1))
    assert explain(a_stall(4 * MS), trace, known()).cause == "soft_irq"


def test_what_the_ring_had_overwritten_is_a_gap_and_not_explained() -> None:
    trace = a_trace(event(4_000, "mm_vmscan_direct_reclaim_end", (), nr_reclaimed=3), from_us=3_002)
    verdict = explain(a_stall(5 * MS), trace, known())
    assert phases_us(verdict) == [("tracer_gap", 3_000), ("direct_reclaim", 998), ("unexplained", 1_002)]
    assert verdict.cause == "tracer_gap"
    assert verdict.explained_ns == 998 * US


def test_a_record_that_begins_in_a_sleep_tells_the_lock_and_the_wait_that_follow() -> None:
    trace = a_trace(
        event(3_100, "sched_switch", (), prev_pid=0, prev_state=0, next_pid=55, next_comm="hog"),
        waking(4_002),
        back(4_502, by=55, comm="hog"),
        event(4_602, "contention_end", (), lock_addr=9),
        from_us=1_002,
    )
    verdict = explain(a_stall(5 * MS), trace, known())
    assert phases_us(verdict) == [
        ("tracer_gap", 1_000), ("other_lock", 3_000), ("run_queue", 500), ("other_lock", 100), ("unexplained", 400),
    ]  # fmt: skip


def test_a_record_in_which_the_writer_only_comes_to_its_cpu_shows_that_it_waited_for_it() -> None:
    trace = a_trace(
        event(2_500, "sched_switch", (), prev_pid=7, prev_state=0, next_pid=55, next_comm="hog"),
        back(4_990, by=55, comm="hog"),
        from_us=2_000,
    )
    verdict = explain(a_stall(10 * US, wake_ns=5 * MS), trace, known())
    assert phases_us(verdict) == [("tracer_gap", 2_000), ("run_queue", 2_990), ("unexplained", 20)]
    assert verdict.main.by == Thread(55, "hog")


def test_records_that_were_lost_end_what_was_open() -> None:
    trace = a_trace(event(10, "mm_vmscan_direct_reclaim_begin", RECLAIM), event(2_000, "lost", (), count=9), lost=9)
    verdict = explain(a_stall(5 * MS), trace, known())
    assert phases_us(verdict) == [("unexplained", 8), ("direct_reclaim", 1_990), ("unexplained", 3_002)]
    assert verdict.phases[1].confidence is Confidence.COINCIDED
    assert verdict.lost == 9


def test_a_long_unexplained_piece_is_the_hosts_when_steal_was_counted_around_it() -> None:
    verdict = explain(a_stall(23 * MS), a_trace(), known(steal_ns=20 * MS))
    assert (verdict.cause, verdict.confidence) == ("steal", Confidence.COINCIDED)
    assert explain(a_stall(23 * MS), a_trace(), known(steal_ns=0)).cause == "unexplained"
    assert explain(a_stall(80 * MS), a_trace(), known(steal_ns=20 * MS)).cause == "unexplained"


def test_without_a_trace_little_steal_is_no_explanation() -> None:
    blind = known(tracer=None, steal_ns=10 * MS)
    assert explain(a_stall(2 * MS, write_class=WriteClass.IN_PAGE), None, blind).cause == "unexplained"
    assert explain(a_stall(9 * MS, write_class=WriteClass.IN_PAGE), None, blind).cause == "steal"


def test_a_traced_cause_is_never_given_to_the_host() -> None:
    trace = a_trace(event(2, "mm_vmscan_direct_reclaim_begin", RECLAIM), event(23_002, "mm_vmscan_direct_reclaim_end"))
    assert explain(a_stall(23 * MS), trace, known(steal_ns=30 * MS)).cause == "direct_reclaim"


def test_without_chains_a_sleep_is_told_from_preemption_and_its_reason_stays_open() -> None:
    trace = a_trace(
        event(10, "switch_out_preempted"), event(2_010, "switch_in"), event(2_100, "switch_out"), event(6_100, "switch_in")
    )
    verdict = explain(a_stall(6_200 * US, write_class=WriteClass.IN_PAGE), trace, known(tracer=SWITCHES))
    assert [(cause, us) for cause, us in phases_us(verdict) if cause != "unexplained"] == [
        ("preempted", 2_000),
        ("blocked", 4_000),
    ]
    assert verdict.explained_ns == 2_000 * US


def test_counters_hint_at_what_cannot_be_traced_here_and_at_nothing_that_can() -> None:
    counters = {"allocstall_normal": 5, "pgscan_direct": 900}
    blind = explain(a_stall(5 * MS), None, known(tracer=None, counters=counters, counters_over_ns=1_000 * MS))
    assert (blind.cause, blind.confidence) == ("direct_reclaim", Confidence.COINCIDED)
    assert "rose by 900" in blind.main.evidence
    assert explain(a_stall(5 * MS), a_trace(), known(counters=counters)).cause == "unexplained"


def test_reclaim_counters_are_no_hint_for_a_write_that_allocated_nothing() -> None:
    stall = a_stall(5 * MS, write_class=WriteClass.IN_PAGE)
    assert explain(stall, None, known(tracer=None, counters={"allocstall_normal": 5})).cause == "unexplained"


def test_a_neighbours_fsync_hints_at_the_journal_where_nothing_is_traced() -> None:
    fsync = Disturbance("fsync", "/data", Thread(9, "postgres"), PLAN, PLAN + 9 * MS)
    stall = a_stall(5 * MS, write_class=WriteClass.IN_PAGE)
    verdict = explain(stall, None, known(tracer=None, neighbours=(fsync,)))
    assert (verdict.cause, verdict.confidence) == ("jbd2_transaction", Confidence.COINCIDED)
    assert "postgres (9)" in verdict.main.evidence


def test_blind_causes_are_those_no_armed_probe_can_show() -> None:
    blind = {cause.name for cause in blind_causes(SWITCHES)}
    assert {"direct_reclaim", "list_lock", "jbd2_transaction", "node_reclaim"} <= blind
    assert not {"preempted", "late_timer", "steal", "unexplained", "suspended"} & blind
    assert {cause.name for cause in blind_causes(FULL)} == {"tlb_ipi"}
    assert len(blind_causes(None)) > len(blind)


@pytest.mark.parametrize("count", [0, 1])
def test_a_trace_without_events_explains_nothing(count: int) -> None:
    trace = StallTrace(PLAN, PLAN - 1, PLAN + 9 * MS, (), count)
    verdict = explain(a_stall(5 * MS), trace, known())
    assert phases_us(verdict) == [("unexplained", 5_000)]
    assert not cause_named(verdict.cause).explains


LENT = replace(a_host(), reports_free_pages=True)
LOW = Settings(threshold_ns=30 * US)


def test_a_new_page_that_took_its_time_without_any_event_came_from_the_hypervisor_where_memory_is_given_back() -> None:
    soft = (event(152, "softirq_entry", vec=7), event(162, "softirq_exit", vec=7))
    verdict = explain(a_stall(170 * US), a_trace(*soft), known(settings=LOW, host=LENT))
    assert phases_us(verdict) == [("host_memory", 150), ("soft_irq", 10), ("unexplained", 10)]
    assert verdict.confidence is Confidence.COINCIDED
    assert "goes back to its hypervisor" in verdict.main.evidence


@pytest.mark.parametrize(
    ("stall", "trace", "circumstances"),
    [
        (a_stall(170 * US), a_trace(), known(settings=LOW)),
        (a_stall(170 * US, write_class=WriteClass.IN_PAGE), a_trace(), known(settings=LOW, host=LENT)),
        (a_stall(40 * US), a_trace(), known(settings=LOW, host=LENT)),
        (a_stall(3 * MS), a_trace(), known(settings=LOW, host=LENT)),
        (a_stall(170 * US), None, known(settings=LOW, host=LENT)),
        (a_stall(170 * US), a_trace(), known(settings=LOW, host=LENT, tracer=SWITCHES)),
    ],
    ids=("a machine that keeps its memory", "no new page", "too short", "too long", "no trace", "hardly traced"),
)
def test_what_need_not_be_a_fetch_from_the_hypervisor_stays_unexplained(
    stall: Write, trace: StallTrace | None, circumstances: Circumstances
) -> None:
    assert {phase.cause for phase in checked(explain(stall, trace, circumstances)).phases} == {"unexplained"}


def test_between_switches_that_were_left_out_nobody_is_known_to_have_had_the_cpu() -> None:
    def turn(at_us: float, going: int, coming: int) -> TraceEvent:
        return event(at_us, "sched_switch", prev_pid=going, prev_state=0, next_pid=coming)

    events = (
        out(100, "", state=0, by=7, comm="seven"),
        turn(300, 8, 9),
        turn(400, 10, 11),
        turn(1000, 12, 13),
        back(1_100, by=13),
    )
    kept = explain(a_stall(2 * MS), a_trace(*events), known())
    sparse = explain(a_stall(2 * MS), replace(a_trace(*events), omitted=40), known())
    assert kept.main.by is not None
    assert kept.main.by.pid == 12
    assert sparse.main.by is not None
    assert sparse.main.by.pid == 13
    assert (kept.omitted, sparse.omitted) == (0, 40)


def sample(at_us: float, frames: str) -> TraceEvent:
    """As the deep tier takes them, every 200 us on the CPU."""
    return event(at_us, "cpu_clock", frames)


def test_samples_say_where_time_on_the_cpu_went_and_what_came_after_the_last_stays_unexplained() -> None:
    trace = a_trace(sample(150, "free_unref_folios shrink_folio_list try_charge_memcg"), sample(352, "ext4_da_map_blocks"))
    verdict = explain(a_stall(500 * US), trace, known(settings=LOW))
    assert phases_us(verdict) == [("memcg_max", 148), ("unexplained", 352)]
    assert {phase.confidence for phase in verdict.phases} == {Confidence.COINCIDED}
    assert [phase.evidence for phase in verdict.phases] == [
        "sampled in free_unref_folios < shrink_folio_list",
        "sampled in ext4_da_map_blocks < generic_perform_write",
    ]


def test_what_events_tell_is_not_overruled_by_samples() -> None:
    spin = f"{SPIN} get_partial_node ___slab_alloc kmem_cache_alloc_noprof alloc_buffer_head"
    trace = a_trace(
        event(10, "contention_begin", spin, lock_addr=5),
        sample(200, spin),
        sample(400, spin),
        event(450, "contention_end", lock_addr=5),
    )
    assert phases_us(explain(a_stall(498 * US), trace, known(settings=LOW))) == [
        ("unexplained", 8),
        ("list_lock", 440),
        ("unexplained", 50),
    ]


def test_a_timer_that_was_served_late_in_a_function_that_fills_memory_shows_the_hypervisor_fetching_it() -> None:
    interrupt = (
        event(799, "local_timer_entry", vector=236),
        sample(800, "copy_folio_from_iter_atomic"),
        event(802, "local_timer_exit"),
    )
    verdict = explain(a_stall(800 * US), a_trace(*interrupt), known(settings=LOW, host=LENT))
    assert phases_us(verdict)[0] == ("host_memory", 797)
    assert verdict.confidence is Confidence.COINCIDED
    assert (
        verdict.main.evidence
        == "stood still at the first touch of memory in copy_folio_from_iter_atomic: a timer was served 598 us late"
    )
    busy = explain(
        a_stall(800 * US), a_trace(sample(800, "_raw_spin_unlock_irq loop_queue_rq")), known(settings=LOW, host=LENT)
    )
    owned = explain(a_stall(800 * US), a_trace(*interrupt), known(settings=LOW))
    assert owned.cause == "unexplained", "a machine with memory of its own: firmware may have stopped it"
    charged = explain(a_stall(800 * US), a_trace(sample(800, "mem_cgroup_charge")), known(settings=LOW, host=LENT))
    assert charged.cause == "unexplained"
    assert busy.cause == "unexplained"
    assert busy.main.evidence == "no interrupt was served for 598 us, then sampled in loop_queue_rq < generic_perform_write"


def test_a_write_that_slept_did_more_than_touch_new_memory() -> None:
    trace = a_trace(out(100, "io_schedule folio_wait_bit_common folio_wait_writeback"), waking(150), back(160))
    verdict = explain(a_stall(300 * US), trace, known(settings=LOW, host=LENT))
    assert "host_memory" not in {phase.cause for phase in verdict.phases}


def test_one_that_was_preempted_besides_may_still_have_waited_for_the_hypervisor() -> None:
    trace = a_trace(out(200, "", state=0, by=7, comm="hog"), back(204, by=7))
    assert explain(a_stall(250 * US), trace, known(settings=LOW, host=LENT)).cause == "host_memory"


def test_a_flush_on_the_way_to_another_thread_does_not_end_the_sleep() -> None:
    sleep = "io_schedule folio_wait_bit_common folio_wait_writeback"
    flush = event(104, "tlb_flush", f"switch_mm_irqs_off __schedule schedule {sleep}", reason=0)
    verdict = explain(
        a_stall(2 * MS), a_trace(out(102, f"__schedule schedule {sleep}"), flush, waking(1_902), back(1_902)), known()
    )
    assert phases_us(verdict) == [("unexplained", 100), ("stable_page", 1_800), ("unexplained", 100)]
