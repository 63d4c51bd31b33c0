"""The exported log is read back by HdrHistogram's own library, with the counts and the maxima that were recorded."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from struct import iter_unpack

import pytest
from click.testing import CliRunner
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sessions.makers import recorded, scripted
from wlat_tui.commands.export import export
from wlat_tui.exports.hlog import encode_histogram
from wlat_tui.frame import Span
from wlat_tui.histogram import bucket_bounds_ns, bucket_of_ns

HOUR_NS = 3_600_000_000_000


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.integers(1, HOUR_NS), st.integers(1, 10_000), min_size=1, max_size=30))
def test_every_bucket_is_the_librarys_bucket(durations: dict[int, int]) -> None:
    counts: Counter[int] = Counter()
    theirs = HdrHistogram(1, 2 * HOUR_NS, 3)
    for ns, count in durations.items():
        counts[bucket_of_ns(ns)] += count
        theirs.record_value(ns, count)
    ours = HdrHistogram.decode(encode_histogram(counts))
    assert ours.get_total_count() == theirs.get_total_count()
    for percentile in (0, 50, 90, 99, 99.9, 100):
        assert ours.get_value_at_percentile(percentile) == theirs.get_value_at_percentile(percentile)


def test_a_log_holds_every_write_of_the_recording(tmp_path: Path) -> None:
    frames = scripted(5 * 20 + 3)
    path, log = recorded(tmp_path / "a.wlat", frames), tmp_path / "a.hlog"
    result = CliRunner().invoke(export, [str(path), "--format", "hlog", "-o", str(log)])
    assert result.exit_code == 0, result.output
    lines = [line for line in log.read_text().splitlines() if not line.startswith(("#", '"'))]
    assert len(lines) == 3 * 21
    for span in Span:
        recorded_counts: Counter[int] = Counter()
        for frame in frames:
            assert frame.writer is not None
            for delta in frame.writer.histograms:
                if delta.span is span:
                    recorded_counts.update(dict(iter_unpack("=II", delta.buckets)))
        tag = f"Tag={span.name.lower()},"
        total = HdrHistogram(1, 2 * HOUR_NS, 3)
        for line in lines:
            if line.startswith(tag):
                total.add(HdrHistogram.decode(line.rsplit(",", 1)[1]))
        assert total.get_total_count() == sum(recorded_counts.values()) == 103 * 1_000
        slowest = max(recorded_counts)
        assert bucket_bounds_ns(slowest)[0] <= total.get_max_value() <= bucket_bounds_ns(slowest)[1]


def test_the_librarys_log_reader_finds_intervals_times_and_tags(tmp_path: Path) -> None:
    frames = scripted(50)
    path, log = recorded(tmp_path / "a.wlat", frames), tmp_path / "a.hlog"
    assert CliRunner().invoke(export, [str(path), "--format", "hlog", "-o", str(log)]).exit_code == 0
    reader = HistogramLogReader(str(log), HdrHistogram(1, 2 * HOUR_NS, 3))
    intervals = []
    while (interval := reader.get_next_interval_histogram()) is not None:
        intervals.append(interval)
    assert Counter(interval.get_tag() for interval in intervals) == {"wake": 10, "service": 10, "response": 10}
    assert all(interval.get_total_count() == 5_000 for interval in intervals)
    started_s = frames[0].wall_ns / 1e9 - 0.2
    assert reader.get_start_time_sec() == pytest.approx(started_s, abs=0.001)
    begins = sorted({interval.get_start_time_stamp() for interval in intervals})
    assert begins == [pytest.approx(1e3 * (started_s + i), abs=1) for i in range(10)]
