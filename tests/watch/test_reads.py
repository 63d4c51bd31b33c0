"""Events of marked files become disturbances: opened to closed, what was really read, by whom, wlat's own apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.watch.test_names import CAT, SHELL, Records, a_process
from wlat_tui.evidence import Disturbance
from wlat_tui.watch.names import Names
from wlat_tui.watch.native import ACCESS, CLOSED, MODIFY, OPENED, OVERFLOW, Touched, Touches
from wlat_tui.watch.reads import Reads

US = 1_000
SLABINFO, REFRESH, SETTINGS = 3, 4, 5
OWN = 4


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def reads(tmp_path: Path, records: Records) -> Reads:
    return some_reads(tmp_path, records)


def some_reads(root: Path, records: Records) -> Reads:
    reads = Reads(Names(records, root), lambda pid: pid == OWN)  # type: ignore[arg-type]
    no_marks: Touches = None  # type: ignore[assignment]
    reads.groups |= {
        SLABINFO: ("/proc/slabinfo", no_marks),
        REFRESH: ("/proc/sys/vm/stat_refresh", no_marks),
        SETTINGS: ("/proc/sys/vm", no_marks),
    }
    return reads


def tell(
    reads: Reads, mask: int, now_us: int, pid: int = CAT, fd: int = SLABINFO, name: str = "", within_us: int = 100
) -> None:
    reads.take(fd, [Touched(mask, pid, name)], (now_us - within_us) * US, now_us * US)


def test_a_reading_lasts_from_opening_to_closing(reads: Reads) -> None:
    tell(reads, OPENED, 1_000)
    tell(reads, ACCESS, 1_400)
    tell(reads, ACCESS | CLOSED & 0x10, 1_800)
    (found,) = reads.flush(2_000 * US)
    assert (found.kind, found.what, found.count) == ("read", "/proc/slabinfo", 1)
    assert (found.begin_ns, found.end_ns, found.spent_ns) == (900 * US, 1_800 * US, 900 * US)


def test_what_came_in_one_event_lies_within_the_life_of_its_process(reads: Reads, records: Records) -> None:
    records.born(CAT, SHELL, 10_000 * US, exit_ns=10_700 * US)
    tell(reads, OPENED | ACCESS | 0x10, 20_000, within_us=15_000)
    (found,) = reads.flush(20_000 * US)
    assert (found.begin_ns, found.end_ns) == (10_000 * US + 10, 10_700 * US)
    assert found.spent_ns == found.end_ns - found.begin_ns


def test_what_is_not_known_to_a_millisecond_has_no_time_spent(reads: Reads) -> None:
    tell(reads, OPENED | ACCESS | 0x10, 20_000, within_us=15_000)
    (found,) = reads.flush(20_000 * US)
    assert (found.begin_ns, found.end_ns, found.spent_ns) == (5_000 * US, 20_000 * US, None)


def test_opening_without_reading_disturbs_nobody(reads: Reads) -> None:
    tell(reads, OPENED, 1_000)
    tell(reads, 0x10, 1_100)
    assert reads.flush(2_000 * US) == []


def test_stat_refresh_gives_nothing_to_read_so_opening_it_counts(reads: Reads) -> None:
    tell(reads, OPENED | 0x10, 1_000, fd=REFRESH)
    (found,) = reads.flush(2_000 * US)
    assert found.what == "/proc/sys/vm/stat_refresh"


def test_a_file_kept_open_and_read_again_is_told_each_time(reads: Reads) -> None:
    tell(reads, OPENED, 1_000)
    for second in (2, 3):
        tell(reads, ACCESS, second * 1_000_000)
        (found,) = reads.flush(second * 1_000_000 * US + 100)
        assert found.count == 1
    assert reads.flush(9_000_000 * US) == []
    tell(reads, 0x10, 10_000_000)
    assert reads.flush(11_000_000 * US) == []


def test_writing_a_memory_setting_names_it(reads: Reads) -> None:
    tell(reads, MODIFY, 1_000, fd=SETTINGS, name="drop_caches")
    (found,) = reads.flush(2_000 * US)
    assert (found.kind, found.what) == ("write", "/proc/sys/vm/drop_caches")


def test_own_readings_are_shown_as_own(reads: Reads) -> None:
    tell(reads, OPENED | ACCESS | 0x10, 1_000, pid=OWN)
    tell(reads, OPENED | ACCESS | 0x10, 1_000, pid=CAT)
    assert {(found.by.pid, found.own) for found in reads.flush(2_000 * US)} == {(OWN, True), (CAT, False)}


def test_readers_are_named_when_they_are_heard_of_not_when_they_are_told(
    reads: Reads, records: Records, tmp_path: Path
) -> None:
    records.born(CAT, SHELL, 500 * US)
    a_process(tmp_path, CAT, SHELL, "cat", "cat\0/proc/slabinfo\0")
    tell(reads, OPENED | ACCESS, 1_000)
    for path in (tmp_path / f"proc/{CAT}").iterdir():
        path.unlink()
    tell(reads, 0x10, 1_100)
    (found,) = reads.flush(2_000 * US)
    assert found.by.command == "cat /proc/slabinfo"


def test_a_queue_that_ran_over_is_counted(reads: Reads) -> None:
    tell(reads, OVERFLOW, 1_000, pid=0)
    assert reads.lost == 1
    assert reads.flush(2_000 * US) == []


EVENTS = st.lists(
    st.tuples(
        st.sampled_from([OPENED, ACCESS, 0x10, OPENED | ACCESS, OPENED | ACCESS | 0x10, ACCESS | 0x10, OVERFLOW]),
        st.integers(0, 5),
        st.integers(1, 3_000),
        st.booleans(),
    ),
    max_size=40,
)


@given(EVENTS)
def test_whatever_events_come_times_are_in_order_and_nothing_is_told_twice(
    events: list[tuple[int, int, int, bool]],
) -> None:
    reads = some_reads(Path("/nonexistent"), Records())
    now_us, told, accesses = 10_000, list[Disturbance](), 0
    for mask, pid, later_us, flush in events:
        now_us += later_us
        accesses += bool(mask & ACCESS)
        tell(reads, mask, now_us, pid=pid, within_us=later_us)
        told += reads.flush(now_us * US) if flush else []
    told += reads.flush(now_us * US)
    assert reads.flush(now_us * US) == []
    assert len(told) <= accesses
    for found in told:
        assert 0 < found.begin_ns <= found.end_ns <= now_us * US
        assert found.count >= 1
        assert found.spent_ns is None or 0 <= found.spent_ns <= found.end_ns - found.begin_ns
