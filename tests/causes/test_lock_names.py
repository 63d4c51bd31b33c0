"""Which lock it was, as far as the record proves it."""

from __future__ import annotations

import pytest

from tests.causes.makers import MS, a_stall, a_trace, event, known
from tests.causes.test_chains import SPINS
from wlat_tui.causes import NodeAround, explain
from wlat_tui.evidence import TraceEvent

ONE = (NodeAround(0, 1, 1, False, 0, ((1, 500), (600, 1_000))),)
TWO = (*ONE, NodeAround(1, 1, 1, False, 0, ((1_000, 2_000),)))


def evidence(case: str, nodes: tuple[NodeAround, ...], *under: TraceEvent, lock: str = "") -> str:
    """What the stall's main phase says of the lock."""
    texts = {"lock": lock} if lock else {}
    trace = a_trace(
        event(10, "contention_begin", SPINS[case][1], lock_addr=9, **texts),
        event(3_900, "contention_end", (), lock_addr=9),
        event(3_901, "sched_switch", (), prev_pid=1, next_pid=2),
        *under,
    )
    return explain(a_stall(4 * MS), trace, known(nodes=nodes)).main.evidence


def test_a_lock_that_lies_at_a_symbol_has_its_name() -> None:
    assert " on contig_page_data in " in evidence("zone lock of rmqueue", TWO, lock="contig_page_data")


def test_on_a_host_with_one_node_there_is_no_other() -> None:
    assert " on zone->lock, node 0 in " in evidence("zone lock of rmqueue", ONE)
    assert " on list_lock of buffer_head, node 0 in " in evidence("list_lock 6.18", ONE)


@pytest.mark.parametrize(("pfn", "told"), [(700, "node 0"), (1_000, "node 1"), (550, "node not known")])
def test_the_page_that_was_taken_under_the_lock_tells_the_node(pfn: int, told: str) -> None:
    page = event(3_902, "mm_page_alloc_zone_locked", pfn=pfn, order=0)
    assert f" on zone->lock, {told} in " in evidence("zone lock of rmqueue", TWO, page)


def test_without_such_an_event_the_node_is_not_known() -> None:
    assert " on zone->lock, node not known in " in evidence("zone lock of rmqueue", TWO)
    after_another = (
        event(3_902, "contention_begin", "some_driver", lock_addr=8),
        event(3_903, "mm_page_alloc_zone_locked", pfn=700, order=0),
    )
    assert " on zone->lock, node not known in " in evidence("zone lock of rmqueue", TWO, *after_another)


def test_the_cache_is_told_by_who_asked_and_better_by_the_allocation_that_followed() -> None:
    assert " on list_lock of buffer_head in " in evidence("list_lock on freeing", TWO)
    assert " on list_lock of a cache that is not known in " in evidence("list_lock behind a barn", TWO)
    asked = event(3_902, "kmem_cache_alloc", "kmem_cache_alloc_noprof", name="xfs_ili")
    assert " on list_lock of xfs_ili in " in evidence("list_lock behind a barn", TWO, asked)


def test_of_a_lock_without_a_name_only_the_place_is_told() -> None:
    assert evidence("unknown", ONE) == "contention_begin to contention_end in some_driver_write < generic_perform_write"
