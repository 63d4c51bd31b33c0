"""Series: nothing worse than what they show ever happened, and gaps stay gaps."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.makers import SECOND, TICK, a_mark
from wlat_tui.frame import WriteClass
from wlat_tui.model.series import CAPACITY, LEVELS, Gap, MemorySeries, RollUp, Timeline, WorstSeries, aligned

ticks = st.lists(
    st.tuples(st.integers(0, 3 * TICK), st.integers(1, 3 * TICK), st.none() | st.integers(0, 10**12)), min_size=1, max_size=80
)


def filled(samples: list[tuple[int, int, int | None]]) -> tuple[WorstSeries, list[tuple[int, int, int | None]]]:
    series, now, placed = WorstSeries(Timeline()), 0, []
    for hole, length, worst in samples:
        begin, end = now + hole, now + hole + length
        series.add(begin, end, worst, WriteClass.NEW_PAGE)
        placed.append((begin, end, worst))
        now = end
    return series, placed


@settings(deadline=None)
@given(ticks, st.integers(1, 120))
def test_no_zoom_loses_the_maximum(samples: list[tuple[int, int, int | None]], n: int) -> None:
    series, placed = filled(samples)
    begin, end = placed[0][0], placed[-1][1]
    columns = series.columns(begin, end, n)
    shown = [column.max_ns for column in columns if column.max_ns is not None]
    true = [worst for _, _, worst in placed if worst is not None]
    assert max(true, default=None) == max(shown, default=None)
    assert len(columns) == n


@settings(deadline=None)
@given(ticks, st.integers(1, 60), st.data())
def test_a_column_shows_nothing_that_no_tick_in_reach_had(
    samples: list[tuple[int, int, int | None]], n: int, data: st.DataObject
) -> None:
    series, placed = filled(samples)
    last = placed[-1][1]
    begin = data.draw(st.integers(0, last))
    end = begin + data.draw(st.integers(n, 2 * last + n))
    for column in series.columns(begin, end, n):
        # a point of a coarse level reaches at most half a column beyond
        slack = max(column.end_ns - column.begin_ns, TICK) + 3 * TICK
        near = {w for b, e, w in placed if b < column.end_ns + slack and e > column.begin_ns - slack}
        assert column.max_ns is None or column.max_ns in near
        assert column.has_data or column.max_ns is None


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=40), st.sampled_from([10, 600, 3_600, 6 * 3_600, 24 * 3_600]))
def test_a_spike_is_still_there_a_day_later(spikes: list[int], zoom_s: int) -> None:
    series, step = WorstSeries(Timeline()), zoom_s * SECOND // len(spikes)
    for i, spike in enumerate(spikes):
        series.add(i * step, i * step + TICK, spike, WriteClass.IN_PAGE)
    columns = series.columns(0, zoom_s * SECOND, 200)
    assert max(spikes) == max(c.max_ns for c in columns if c.max_ns is not None)


def test_a_tick_without_writes_has_data_but_no_value() -> None:
    series = WorstSeries(Timeline())
    series.add(0, TICK, None, None)
    (column,) = series.columns(0, TICK, 1)
    assert (column.has_data, column.max_ns, column.write_class) == (True, None, None)


def test_columns_before_the_start_and_in_the_future_have_no_data() -> None:
    series = WorstSeries(Timeline())
    series.add(10 * SECOND, 10 * SECOND + TICK, 5, WriteClass.IN_PAGE)
    columns = series.columns(0, 20 * SECOND, 20)
    assert [i for i, column in enumerate(columns) if column.has_data] == [10]


def test_a_tick_longer_than_a_column_fills_every_column_it_touches() -> None:
    series = WorstSeries(Timeline())
    series.add(0, SECOND, 7, WriteClass.IN_PAGE)
    assert [column.max_ns for column in series.columns(0, SECOND, 10)] == [7] * 10


def test_neighbouring_ticks_do_not_widen_a_spike() -> None:
    series = WorstSeries(Timeline())
    for i in range(20):  # ticks lie across the column borders
        series.add(i * TICK + TICK // 4, (i + 1) * TICK + TICK // 4, 1_000_000 if i == 10 else 5, WriteClass.IN_PAGE)
    columns = series.columns(0, 20 * TICK, 20)
    assert sum(column.max_ns == 1_000_000 for column in columns) == 1


def test_the_class_follows_its_maximum_through_every_level() -> None:
    series = WorstSeries(Timeline())
    for i in range(5_000):
        spike = i == 100
        series.add(i * TICK, (i + 1) * TICK, 900_000 if spike else 10, WriteClass.PREPARED if spike else WriteClass.IN_PAGE)
    columns = series.columns(0, 5_000 * TICK, 10)
    assert (columns[0].max_ns, columns[0].write_class) == (900_000, WriteClass.PREPARED)
    assert columns[5].write_class == WriteClass.IN_PAGE


def test_gaps_stay_gaps_at_every_zoom() -> None:
    timeline = Timeline()
    series, memory = WorstSeries(timeline), MemorySeries(timeline)
    series.add(0, SECOND, 5, WriteClass.IN_PAGE)
    timeline.add_gap(Gap(SECOND, 3 * SECOND, "stopped"))
    series.add(3 * SECOND, 4 * SECOND, 5, WriteClass.IN_PAGE)
    assert [column.has_gap for column in series.columns(0, 4 * SECOND, 4)] == [False, True, True, False]
    assert [column.has_data for column in series.columns(0, 4 * SECOND, 4)] == [True, False, False, True]
    assert [column.has_gap for column in series.columns(0, 3_600 * SECOND, 1)] == [True]
    assert [column.has_gap for column in memory.columns(0, 4 * SECOND, 4)] == [False, True, True, False]


def test_a_gap_of_the_writer_alone_is_none_of_the_memory() -> None:
    timeline = Timeline()
    memory = MemorySeries(timeline)
    memory.add(0, SECOND, 10, -3)
    timeline.add_gap(Gap(0, SECOND, "no writer", writer_only=True))
    (column,) = memory.columns(0, SECOND, 1)
    assert (column.free_pages, column.headroom_pages, column.has_gap) == (10, -3, False)


def test_gaps_that_touch_for_the_same_reason_are_one() -> None:
    timeline = Timeline()
    for i in range(3):
        timeline.add_gap(Gap(i, i + 1, "no writer", writer_only=True))
    timeline.add_gap(Gap(3, 4, "stopped"))
    assert [(gap.begin_ns, gap.end_ns) for gap in timeline.gaps] == [(0, 3), (3, 4)]


def test_memory_keeps_the_smallest_value() -> None:
    memory = MemorySeries(Timeline())
    for i in range(3_000):
        memory.add(i * TICK, (i + 1) * TICK, 4 if i == 7 else 1_000, None)
    columns = memory.columns(0, 3_000 * TICK, 5)
    assert [column.free_pages for column in columns] == [4, 1_000, 1_000, 1_000, 1_000]
    assert {None} == {column.headroom_pages for column in columns}


def test_a_mark_stands_in_its_column() -> None:
    timeline = Timeline()
    mark = a_mark(5 * SECOND)
    timeline.marks.append(mark)
    columns = WorstSeries(timeline).columns(0, 10 * SECOND, 10)
    assert [i for i, column in enumerate(columns) if column.marks == (mark,)] == [5]


def test_a_day_of_ticks_stays_bounded_and_keeps_its_worst() -> None:
    rollup = RollUp(max)
    count = 24 * 3_600 * 5
    for i in range(count):
        rollup.add(i * TICK, (i + 1) * TICK, 10**9 if i == 1_234 else 20)
    assert len(rollup) <= CAPACITY * LEVELS
    columns = [cell for cell in rollup.columns(0, count * TICK, 240) if cell is not None]
    assert len(columns) == 240
    assert max(columns) == (10**9,)


@settings(deadline=None)
@given(st.integers(0, 10**15), st.integers(10**9, 10**14), st.integers(1, 300))
def test_an_aligned_view_holds_now_and_moves_by_whole_columns(now: int, span: int, n: int) -> None:
    begin, end = aligned(now, span, n)
    width = (end - begin) // n
    assert end - width < now <= end
    assert end % width == 0
    assert end - begin == width * n
