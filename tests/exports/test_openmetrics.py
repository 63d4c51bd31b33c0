"""The exposition is read by Prometheus' own parser, and by promtool where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.exports.makers import WHOLE, a_recording, exported
from tests.sessions.makers import recorded
from wlat_tui.frame import Span
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.session import Session


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return exported(a_recording(tmp_path_factory.mktemp("openmetrics")), "openmetrics").decode()


def by_time(text: str) -> dict[str, str]:
    """The exposition as it was at each moment.

    The library's parser takes later samples of a histogram for repeated ones, so it is given one moment at a time.
    """
    parts: defaultdict[str, list[str]] = defaultdict(list)
    head: list[str] = []
    lines = text.splitlines()
    times = sorted({line.rsplit(" ", 1)[1] for line in lines if not line.startswith("#")})
    for line in lines[:-1]:
        if line.startswith("#"):
            head.append(line)
            continue
        if head:
            for time in times:
                parts[time] += head
            head = []
        parts[line.rsplit(" ", 1)[1]].append(line)
    assert lines[-1] == "# EOF"
    return {time: "\n".join([*part, "# EOF"]) + "\n" for time, part in parts.items()}


def test_every_moment_is_valid_and_there_is_one_each_ten_seconds(text: str) -> None:
    moments = by_time(text)
    assert len(moments) == 6
    for part in moments.values():
        families = {family.name: family for family in text_string_to_metric_families(part)}
        assert len(families) >= 9
        (total,) = (
            sample.value
            for sample in families["wlat_write_duration_seconds"].samples
            if sample.name.endswith("_count") and sample.labels["class"] == "new_page"
        )
        assert total > 0


def test_the_last_moment_holds_all_writes_and_the_nodes(text: str) -> None:
    session = Session()
    for frame in WHOLE:
        session.fold(frame)
    last = by_time(text)[max(by_time(text), key=float)]
    samples = [sample for family in text_string_to_metric_families(last) for sample in family.samples]
    values = {(sample.name, *sorted(sample.labels.values())): sample.value for sample in samples}
    assert values["wlat_write_duration_seconds_count", "in_page"] == session.writes[0]
    assert values["wlat_stalls_total",] == session.stall_count
    assert session.host is not None
    for node, state in session.nodes.items():
        assert state.headroom_pages is not None
        known = values["wlat_node_headroom_bytes", str(node)]
        assert known == pytest.approx(state.headroom_pages * session.host.page_bytes)
    assert values["wlat_knob", "zone_reclaim_mode"] == 1


def test_the_worst_of_each_moment_is_the_worst_since_the_one_before(text: str) -> None:
    worst_s = [
        float(line.split(" ")[1]) for line in text.splitlines() if line.startswith('wlat_worst_write_seconds{span="service"}')
    ]
    for i, seconds in enumerate(worst_s):
        writes = [frame.writer.worst[Span.SERVICE] for frame in WHOLE[50 * i : 50 * (i + 1)] if frame.writer]
        assert seconds == pytest.approx(max(span_ns(write, Span.SERVICE) for write in writes if write) / 1e9, rel=1e-6)


def test_how_often_can_be_chosen_and_labels_are_escaped(tmp_path: Path) -> None:
    from dataclasses import replace

    first = WHOLE[0]
    assert first.host is not None
    odd = replace(first, host=replace(first.host, hostname='a"b\\c\nd'))
    file = recorded(tmp_path / "odd.wlat", [odd, *WHOLE[1:50]])
    text = exported(file, "openmetrics", "--every", "2s").decode()
    moments = by_time(text)
    assert len(moments) == 5
    for part in moments.values():
        (info,) = (family for family in text_string_to_metric_families(part) if family.name == "wlat_recording")
        assert info.samples[0].labels["host"] == 'a"b\\c\nd'


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool, of Debian's package prometheus")
def test_prometheus_itself_takes_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text)
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "a.txt"), str(tmp_path / "blocks")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert any((tmp_path / "blocks").iterdir())
