"""Who is to blame: only who did what brings the stall's cause about."""

from __future__ import annotations

from collections import deque

from tests.model.makers import a_write
from wlat_tui.causes import Circumstances, Confidence, Phase, Verdict
from wlat_tui.causes.phases import shares_of
from wlat_tui.evidence import Disturbance, Thread, TraceLevel
from wlat_tui.model.blame import Blame
from wlat_tui.model.stalls import Explained
from wlat_tui.renderables.line import plain
from wlat_tui.renderables.suspect_line import suspect_lines

CAT = Thread(7, "cat", "cat /proc/slabinfo", None, 6, "sh loop.sh")


def a_stall(at_ns: int, cause: str, *, by: Thread = CAT, own: bool = False) -> Explained:
    phase = Phase(cause, at_ns, at_ns + 5_000_000, Confidence.TRACED)
    verdict = Verdict(
        at_ns, phase.end_ns, cause, Confidence.TRACED, (phase,), shares_of([phase], {cause: True}), TraceLevel.FULL
    )
    doing = Disturbance("read", "/proc/slabinfo", by, at_ns - 10, at_ns + 5_000_000, own=own)
    return Explained(a_write(at_ns, 5_000_000), verdict, Circumstances(neighbours=(doing,)))


def test_a_reader_beside_a_stall_that_reading_does_not_cause_is_not_blamed() -> None:
    blame = Blame()
    blame.take(deque([a_stall(1_000_000, "preempted"), a_stall(90_000_000, "list_lock", own=True)]))
    assert blame.worst() is None
    assert suspect_lines(blame.worst(), [], "-", 0) == []


def test_each_stall_counts_once_however_often_it_is_seen_and_a_loop_of_readers_is_one() -> None:
    blame = Blame()
    kept = deque([a_stall(1_000_000, "list_lock")])
    blame.take(kept)
    blame.take(kept)
    kept.append(a_stall(90_000_000, "list_lock", by=Thread(8, "cat", "cat /proc/slabinfo", None, 6, "sh loop.sh")))
    blame.take(kept)
    worst = blame.worst()
    assert worst is not None
    assert (worst.stalls, worst.total_ns, blame.stalls_of("read", "/proc/slabinfo", "cat")) == (2, 10_000_000, 2)
    for line in suspect_lines(worst, [], "-", 95_000_000):
        assert plain(line).startswith(" Stop cat")
        assert "2x slab list_lock, 10.0ms" in plain(line)


def test_one_that_has_been_quiet_for_long_is_said_to_be() -> None:
    blame = Blame()
    blame.take(deque([a_stall(1_000_000, "list_lock")]))
    for now_s, told in ((9, ""), (27, " (last 20s ago)"), (150, " (last 2min ago)")):
        for line in suspect_lines(blame.worst(), [], "-", now_s * 1_000_000_000)[:6]:
            assert f"it reads /proc/slabinfo{told}" in plain(line)


def test_after_a_jump_to_another_moment_the_count_begins_anew() -> None:
    blame = Blame()
    blame.take(deque([a_stall(1_000_000, "list_lock"), a_stall(20_000_000, "list_lock")]))
    blame.take(deque([a_stall(1_000_000, "list_lock")]))
    worst = blame.worst()
    assert worst is not None
    assert worst.stalls == 1
    blame.take(deque())
    assert blame.worst() is None


def test_where_there_is_room_the_line_says_in_plain_words_why() -> None:
    blame = Blame()
    blame.take(deque([a_stall(1_000_000, "list_lock")]))
    wordings = [plain(line) for line in suspect_lines(blame.worst(), [], "-", 0)]
    assert any("it reads /proc/slabinfo, and write() has to wait for it - 1x slab list_lock" in text for text in wordings)
