"""Disturbances add up to suspects: who must be stopped, how often it was at it, and beside which stalls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.model.makers import a_frame, a_tick, a_write, at
from wlat_tui.evidence import Disturbance, Thread
from wlat_tui.frame import Write
from wlat_tui.model.session import Session
from wlat_tui.model.suspects import KEPT_SUSPECTS, Suspects, deed, sentence

MS = 1_000_000
SLABINFO = "/proc/slabinfo"
LOOP = "bash -c while :; do cat /proc/slabinfo; done"


def a_read(
    begin_ns: int, ns: int = MS, pid: int = 900, parent: str = LOOP, parent_pid: int | None = 77, **more: object
) -> Disturbance:
    by = Thread(pid, "cat", "cat /proc/slabinfo", None, parent_pid, parent)
    return Disturbance(**{"kind": "read", "what": SLABINFO, "by": by, "begin_ns": begin_ns, "end_ns": begin_ns + ns} | more)  # type: ignore[arg-type]


def a_stall(begin_ns: int, ns: int = 4 * MS) -> Write:
    return a_write(begin_ns, ns, wake_ns=0)


def test_a_loop_of_short_lived_readers_is_one_suspect_and_its_shell_the_one_to_stop() -> None:
    suspects = Suspects()
    suspects.fold([a_read(i * 10 * MS, pid=900 + i, spent_ns=MS) for i in range(5)], [])
    (found,) = suspects.ranked()
    assert (found.count, found.processes, found.spent_ns) == (5, 5, 5 * MS)
    assert (found.first_ns, found.last_ns) == (0, 41 * MS)
    assert (found.to_stop.pid, found.to_stop.command, found.to_stop.comm) == (77, LOOP, "bash")


def test_a_reader_that_lives_on_is_to_be_stopped_itself() -> None:
    suspects = Suspects()
    suspects.fold([a_read(i * 10 * MS) for i in range(5)], [])
    (found,) = suspects.ranked()
    assert (found.processes, found.to_stop.pid) == (1, 900)


def test_children_of_init_are_told_apart_by_their_own_command() -> None:
    suspects = Suspects()
    suspects.fold([a_read(0, parent="init", parent_pid=1), a_read(0, pid=901, parent="init", parent_pid=1)], [])
    (found,) = suspects.ranked()
    assert found.to_stop.pid == 901


def test_the_same_command_in_another_container_is_another_suspect() -> None:
    suspects = Suspects()
    by = Thread(5, "cat", "cat", "docker/abc", 77, LOOP)
    suspects.fold([a_read(0), a_read(0, by=by)], [])
    assert {found.by.container for found in suspects.ranked()} == {None, "docker/abc"}


def test_a_stall_counts_once_however_many_reads_fell_into_it() -> None:
    suspects = Suspects()
    suspects.fold([a_read(100 * MS + i * MS, MS, pid=i + 3) for i in range(4)], [])
    suspects.fold([], [a_stall(101 * MS, 2 * MS), a_stall(300 * MS)])
    (found,) = suspects.ranked()
    assert (found.stalls, found.stalled_ns) == (1, 2 * MS)


def test_the_order_in_which_stall_and_read_become_known_does_not_matter() -> None:
    read, stall = a_read(100 * MS, 5 * MS), a_stall(103 * MS, 4 * MS)
    for first, second in ((([read], []), ([], [stall])), (([], [stall]), ([read], [])), (([read], [stall]), ([], []))):
        suspects = Suspects()
        suspects.fold(*first)
        suspects.fold(*second)
        (found,) = suspects.ranked()
        assert (found.stalls, found.stalled_ns) == (1, 2 * MS)


def test_whoever_was_beside_most_stalled_time_comes_first_and_wlat_itself_last() -> None:
    suspects = Suspects()
    own = a_read(100 * MS, 50 * MS, own=True, by=Thread(1, "wlat"))
    busy = [a_read(i * MS, 0, by=Thread(2, "busy")) for i in range(50)]
    beside = a_read(100 * MS, 50 * MS, by=Thread(3, "beside"))
    suspects.fold([own, *busy, beside], [a_stall(110 * MS)])
    assert [found.by.comm for found in suspects.ranked()] == ["beside", "busy", "wlat"]
    assert [found.by.comm for found in suspects.during(110 * MS, 111 * MS)] == ["beside", "wlat"]


def test_what_is_only_known_as_a_sum_over_a_second_is_not_held_against_stalls() -> None:
    suspects = Suspects()
    dirtied = Disturbance("dirtied", "/", Thread(3, "dd", "dd of=x"), 0, 1_000 * MS, count=300 << 20)
    suspects.fold([dirtied, a_read(100 * MS)], [a_stall(100 * MS)])
    first, second = suspects.ranked()
    assert (first.kind, first.stalls, second.stalls) == ("read", 1, 0)
    assert sentence(second) == "dd of=x (pid 3): it dirtied 300M on /."


def test_suspects_are_bounded_and_those_beside_stalls_are_kept() -> None:
    suspects = Suspects()
    suspects.fold([a_read(100 * MS, by=Thread(1, "guilty", "guilty"))], [a_stall(100 * MS)])
    suspects.fold([a_read(i * MS, by=Thread(i, f"other{i}", f"other{i}")) for i in range(1_000, 1_000 + 2 * KEPT_SUSPECTS)], [])
    found = suspects.ranked()
    assert len(found) == KEPT_SUSPECTS
    assert found[0].by.comm == "guilty"


def test_one_sentence_says_who_why_and_what_it_cost() -> None:
    suspects = Suspects()
    suspects.fold([a_read(i * 10 * MS, pid=900 + i) for i in range(1_204)], [a_stall(12_030 * MS, 84 * MS)])
    text = sentence(suspects.ranked()[0], 17)
    assert text.startswith(
        f"Stop {LOOP} (pid 77): its cat read /proc/slabinfo 1,204 times, which holds each slab cache's list_lock"
    )
    assert text.endswith("1 of 17 stalls (1.00ms) happened meanwhile.")


def test_deeds_read_as_what_they_are() -> None:
    suspects = Suspects()
    thread = Thread(9, "dd")
    suspects.fold(
        [
            Disturbance("dirtied", "/data", thread, 0, 1, count=3 << 20),
            Disturbance("fsync", "/data", thread, 0, 1),
            Disturbance("cpu", "CPU 1", Thread(40, "kswapd0"), 0, 1, spent_ns=20 * MS),
        ],
        [],
    )
    assert {deed(found) for found in suspects.ranked()} == {
        "dirtied 3.00M on /data",
        "called fsync on /data once",
        "ran for 20.0ms in the kernel",
    }


def test_the_session_folds_disturbances_with_the_stalls_of_its_frames() -> None:
    session = Session()
    stall = a_stall(at(1))
    session.fold(a_frame(0, disturbances=(a_read(at(1) - MS, 3 * MS),)))
    session.fold(a_frame(1, None, writer=a_tick(2, at(1), at(2), [stall], stalls=(stall,))))
    (found,) = session.suspects.ranked()
    assert (found.stalls, found.stalled_ns) == (1, 2 * MS)
    assert session.suspects.stall_count == 1


@given(
    st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 50), st.integers(3, 6)), max_size=40),
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 40)), max_size=15),
    st.integers(1, 5),
)
def test_overlap_never_exceeds_the_stalls_whatever_comes_when(
    reads: list[tuple[int, int, int]], steps: list[tuple[int, int]], parts: int
) -> None:
    stalls, now = [], 1_000
    for pause, ns in steps:
        stalls.append(a_stall(now + pause, ns))
        now += pause + ns
    disturbances = [a_read(1_000 + begin, ns, pid=pid) for begin, ns, pid in reads]
    suspects = Suspects()
    for i in range(parts):
        suspects.fold(disturbances[i::parts], stalls[len(stalls) * i // parts : len(stalls) * (i + 1) // parts])
    whole = Suspects()
    whole.fold(disturbances, stalls)
    for found, expected in zip(suspects.ranked(), whole.ranked(), strict=True):
        assert (found.count, found.stalls) == (expected.count, expected.stalls)
        assert found.stalls <= len(stalls)
        assert found.stalled_ns <= sum(stall.service_ns for stall in stalls)


def test_a_reader_that_never_stops_meets_every_stall_by_chance_and_a_rare_one_none() -> None:
    suspects = Suspects()
    always = [a_read(i * 10 * MS, 10 * MS, by=Thread(3, "always")) for i in range(100)]
    rarely = [a_read(500 * MS, MS, by=Thread(4, "rarely"))]
    suspects.fold([*always, *rarely], [a_stall(500 * MS), a_stall(700 * MS)])
    told = {found.by.comm: found for found in suspects.ranked()}
    assert told["always"].by_chance(2, 1_000 * MS) == 2
    assert told["rarely"].by_chance(2, 1_000 * MS) == 2 / 1_000
    assert sentence(told["always"], 2, 1_000 * MS).endswith("2 of 2 stalls (8.00ms) happened meanwhile, 2 would by chance.")
    assert sentence(told["rarely"], 2, 1_000 * MS).endswith("1 of 2 stalls (1.00ms) happened meanwhile, 0 would by chance.")
