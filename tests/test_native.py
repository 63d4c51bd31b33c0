"""Settings, ticks and histograms on their way between Python and the native core."""

from __future__ import annotations

import struct
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wlat_tui.frame import HistogramDelta, Policy, Settings, Span, WriteClass
from wlat_tui.histogram import Histogram, bucket_bounds_ns, bucket_of_ns
from wlat_tui.native import ReportReader, pack_settings, parse_report, refuse_settings

HOUR_NS = 3600 * 10**9
BUCKETS = st.lists(
    st.tuples(st.integers(0, bucket_of_ns(2**63)), st.integers(1, 2**32 - 1)), max_size=60, unique_by=lambda b: b[0]
)


def packed(buckets: list[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack("=II", index, count) for index, count in buckets)


def from_values(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(packed([(bucket_of_ns(value), 1)]))
    return histogram


@settings(deadline=None)
@given(st.integers(0, HOUR_NS))
def test_a_duration_lands_in_the_bucket_that_holds_it_to_three_digits(duration_ns: int) -> None:
    low, high = bucket_bounds_ns(bucket_of_ns(duration_ns))
    assert low <= duration_ns <= high
    assert high - low <= low / 1000


@settings(deadline=None)
@given(st.lists(st.integers(0, HOUR_NS), min_size=1, max_size=200), st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_quantiles_are_those_of_the_sorted_durations(values: list[int], fractions: list[float]) -> None:
    fractions.sort()
    ordered = sorted(values)
    for fraction, found in zip(fractions, from_values(values).quantiles(fractions), strict=True):
        rank = next(n for n in range(1, len(values) + 1) if n >= fraction * len(values))
        assert bucket_bounds_ns(bucket_of_ns(ordered[rank - 1]))[1] == found


@settings(deadline=None)
@given(BUCKETS, BUCKETS)
def test_what_was_added_can_be_taken_away_again(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    histogram = Histogram()
    histogram.add(packed(first))
    before = list(histogram.buckets())
    histogram.add(HistogramDelta(Span.SERVICE, WriteClass.IN_PAGE, packed(second)))
    assert histogram.total == sum(count for _, count in first + second)
    histogram.add(packed(second), -1)
    assert list(histogram.buckets()) == before


@settings(deadline=None)
@given(BUCKETS, BUCKETS)
def test_merging_is_adding_and_a_copy_is_independent(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    one, other, both = Histogram(), Histogram(), Histogram()
    one.add(packed(first))
    other.add(packed(second))
    both.add(packed(first))
    both.add(packed(second))
    merged = one.copy()
    merged.merge(other)
    assert list(merged.buckets()) == list(both.buckets())
    assert one.total == sum(count for _, count in first)
    merged.clear()
    assert merged.total == 0
    assert merged.quantiles([0.5, 1.0]) == [0, 0]


def test_a_histogram_refuses_what_is_not_whole_out_of_range_or_below_zero() -> None:
    histogram = from_values([1000])
    with pytest.raises(ValueError, match="not whole buckets"):
        histogram.add(b"123")
    with pytest.raises(OSError, match="adding to a histogram"):
        histogram.add(packed([(bucket_of_ns(1000), 1), (10**6, 1)]))
    with pytest.raises(OSError, match="adding to a histogram"):
        histogram.add(packed([(5, 1)]), -1)
    with pytest.raises(OSError, match="ascend"):
        histogram.quantiles([0.9, 0.1])
    with pytest.raises(IndexError, match="out of range"):
        bucket_bounds_ns(-1)
    assert histogram.total == 1


def test_the_default_settings_are_accepted_and_each_bad_one_is_named() -> None:
    assert refuse_settings(Settings()) is None
    bad = {
        "interval_ns": 9_999,
        "threshold_ns": 0,
        "tick_ns": 1,
        "segment_bytes": 1 << 19,
        "disk_limit_bytes": 1 << 20,
        "prewarm_bytes": (1 << 20) + 1,
        "write_bytes": 0,
        "fifo_priority": 99,
        "dma_latency_us": -2,
    }
    for name, value in bad.items():
        why = refuse_settings(replace(Settings(), **{name: value}))  # type: ignore[arg-type]
        assert why is not None
        assert why.startswith(name)
    assert refuse_settings(Settings(policy=Policy.BIND)) == (
        "policy_nodes must name a node for the policies bind, prefer and interleave"
    )
    assert refuse_settings(Settings(policy=Policy.BIND, policy_nodes=(0,))) is None
    assert refuse_settings(Settings(cpus=(4096,))) == "CPU 4096 is out of range: 0 to 4095"
    assert refuse_settings(Settings(write_bytes=-1)) == "write_bytes -1 is out of range"


@settings(deadline=None)
@given(st.sets(st.integers(0, 4095)), st.sets(st.integers(0, 1023)), st.integers(0, 2**64 - 1))
def test_cpus_and_nodes_become_bits(cpus: set[int], nodes: set[int], seq: int) -> None:
    message = pack_settings(Settings(cpus=tuple(cpus), policy_nodes=tuple(nodes)), seq)
    assert struct.unpack_from("=IIQ", message)[1:] == (len(message), seq)
    assert int.from_bytes(message[-64 * 8 - 16 * 8 : -16 * 8], "little") == sum(1 << cpu for cpu in cpus)
    assert int.from_bytes(message[-16 * 8 :], "little") == sum(1 << node for node in nodes)


def test_every_setting_is_sent() -> None:
    plain = pack_settings(Settings(), 1)
    changed = {
        **{"write_bytes": 221, "interval_ns": 200_001, "threshold_ns": 1_000_001, "tick_ns": 200_000_001},
        **{"segment_bytes": 65 << 20, "disk_limit_bytes": 1 << 31, "prewarm_bytes": 17 << 20, "mode": 1, "prewarm": 3},
        **{"policy": 2, "policy_nodes": (1,), "cpus": (1,), "fifo_priority": 1, "dma_latency_us": 0},
        **{"trace": False, "deep_trace": True, "trace_chains": False},
    }
    of_the_watcher = {"watch_opens"}
    assert set(changed) == {field.name for field in fields(Settings)} - of_the_watcher
    for name, value in changed.items():
        assert pack_settings(replace(Settings(), **{name: value}), 1) != plain  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.binary(max_size=3000))
def test_a_stream_that_is_not_of_ticks_ends_in_one_sentence(data: bytes) -> None:
    reader = ReportReader()
    if len(data) < 8:
        assert reader.feed(data) == []
        return
    with pytest.raises(ValueError, match="engine"):
        reader.feed(data)
    with pytest.raises(ValueError, match="engine"):
        parse_report(data)
