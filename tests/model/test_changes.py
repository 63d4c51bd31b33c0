"""Before and after of a toggle: equal spans, settling left out, and "not enough data" when it is so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.model.makers import SECOND, a_frame, a_mark, a_tick, a_write, at
from wlat_tui.frame import Frame, Prewarm, Settings, Write, WriteClass
from wlat_tui.model.session import Session

NEW = WriteClass.NEW_PAGE


def pages(i: int, service_ns: int, count: int = 40) -> list[Write]:
    return [a_write(at(i) + k * 10_000, service_ns, NEW) for k in range(count)]


def run(session: Session, begin: int, end: int, service_ns: int, count: int = 40) -> None:
    for i in range(begin, end):
        session.fold(a_frame(i, pages(i, service_ns, count)))


def test_a_toggle_shows_equal_spans_before_and_after() -> None:
    session = Session()
    run(session, 0, 50, 12_000_000)
    session.fold(a_frame(50, pages(50, 20_000), marks=(a_mark(a_frame(50).begin_ns),)))
    run(session, 51, 75, 20_000)
    (change,) = session.changes
    assert change.enough
    assert change.before is not None
    assert change.after is not None
    assert (change.span_ns, change.before.count, change.after.count) == (4 * SECOND, 800, 800)
    assert (change.before.max_ns, change.after.max_ns) == (12_000_000, 20_000)
    assert "12.0ms -> 20.0us" in change.text
    assert "800 | 800 writes" in change.text
    assert not change.done


def test_after_stops_growing_when_there_is_no_more_before() -> None:
    session = Session()
    run(session, 0, 10, 1_000)
    session.fold(a_frame(10, pages(10, 5_000), marks=(a_mark(a_frame(10).begin_ns),)))
    run(session, 11, 60, 5_000)
    (change,) = session.changes
    assert (change.done, change.span_ns) == (True, 2 * SECOND)


def test_what_happens_while_it_settles_is_left_out() -> None:
    session = Session()
    run(session, 0, 20, 1_000)
    session.fold(a_frame(20, pages(20, 90_000_000, 1), marks=(a_mark(a_frame(20).begin_ns),)))
    run(session, 21, 40, 1_000)
    (change,) = session.changes
    assert change.after is not None
    assert change.after.max_ns == 1_000


def test_with_few_page_beginning_writes_it_says_how_many_it_has() -> None:
    session = Session()
    run(session, 0, 50, 1_000, count=1)
    session.fold(a_frame(50, pages(50, 5_000, 1), marks=(a_mark(a_frame(50).begin_ns),)))
    run(session, 51, 66, 5_000, count=1)
    (change,) = session.changes
    assert (change.enough, change.text) == (False, "not enough data yet (11 of 300 new-page writes)")


def test_a_toggle_before_any_write_has_nothing_to_compare_with() -> None:
    session = Session()
    session.fold(a_frame(0, pages(0, 1_000), marks=(a_mark(a_frame(0).begin_ns),)))
    run(session, 1, 30, 1_000)
    (change,) = session.changes
    assert (change.before, change.enough, change.done) == (None, False, True)
    assert change.text == "nothing was measured before it"


def test_the_next_toggle_ends_the_one_before_and_does_not_share_its_settling() -> None:
    session = Session()
    run(session, 0, 50, 1_000)
    session.fold(a_frame(50, pages(50, 7_000), marks=(a_mark(a_frame(50).begin_ns),)))
    run(session, 51, 75, 7_000)
    session.fold(a_frame(75, pages(75, 9_000), marks=(a_mark(a_frame(75).begin_ns, "restored"),)))
    run(session, 76, 120, 9_000)
    first, second = session.changes
    assert first.done
    assert second.before is not None
    assert (second.before.p50_ns, second.before.max_ns) == (7_000, 7_000)
    assert second.span_ns == 4 * SECOND


def test_a_foreign_change_ends_a_comparison_and_a_note_does_not() -> None:
    session = Session()
    run(session, 0, 50, 1_000)
    session.fold(a_frame(50, pages(50, 2_000), marks=(a_mark(a_frame(50).begin_ns),)))
    run(session, 51, 60, 2_000)
    session.fold(a_frame(60, pages(60, 2_000), marks=(a_mark(a_frame(60).begin_ns, "note"),)))
    assert not session.changes[0].done
    session.fold(a_frame(61, pages(61, 2_000), marks=(a_mark(a_frame(61).begin_ns, "foreign"),)))
    assert [change.done for change in session.changes] == [True]


def prewarm_frame(i: int, method: Prewarm, **more: Any) -> Frame:
    frame = a_frame(i, **more)
    tick = a_tick(i + 1, frame.begin_ns, frame.end_ns, pages(i, 3_000), method)
    return replace(frame, writer=tick)


def test_prewarming_is_judged_from_the_first_prepared_segment_on() -> None:
    session = Session()
    run(session, 0, 50, 1_000_000)
    mark = a_mark(a_frame(50).begin_ns, name="prewarm")
    session.fold(prewarm_frame(50, Prewarm.OFF, marks=(mark,), settings=Settings(prewarm=Prewarm.WRITE)))
    for i in range(51, 80):
        session.fold(prewarm_frame(i, Prewarm.OFF))
    (change,) = session.changes
    assert (change.after, change.text) == (None, "waiting for the next segment: prewarming changes there")
    for i in range(80, 100):
        session.fold(prewarm_frame(i, Prewarm.WRITE))
    assert session.changes[0].span_ns == 4 * SECOND


def test_old_changes_are_dropped_not_kept_forever() -> None:
    session = Session()
    for i in range(300):
        session.fold(a_frame(i, pages(i, 1_000, 1), marks=(a_mark(a_frame(i).begin_ns),)))
    assert len(session.changes) == 101
