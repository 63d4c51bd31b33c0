"""What a report says, and that it says it safely."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.model.makers import a_frame, a_write, at
from tests.report.makers import HOSTILE, TOLD, a_few_writes, digest_of, hostile, story
from tests.sessions.makers import recorded, scripted
from wlat_tui.commands.cut import cut
from wlat_tui.commands.report import report
from wlat_tui.compare.side import Side
from wlat_tui.frame import Span, WriteClass
from wlat_tui.histogram import Histogram
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.session import Session
from wlat_tui.report import page, words
from wlat_tui.report.charts import charts
from wlat_tui.report.digest import COLUMNS, HEAT_ROWS, KEPT_STALLS, row_middle_ns, row_of_ns
from wlat_tui.report.text import report_lines
from wlat_tui.sessions.store import BLOCK_FRAMES, Store


class Elements(HTMLParser):
    """Every element with its attributes, and the text outside of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._in: str = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in not in ("script", "style"):
            self.text += data


def parsed(text: str) -> Elements:
    elements = Elements()
    elements.feed(text)
    return elements


def test_the_summary_says_worst_stalls_memory_and_what_toggles_did() -> None:
    said = " ".join(words.summary(story()))
    session = Session()
    for frame in TOLD:
        session.fold(frame)
    worst = session.worst_ever(Span.SERVICE)
    assert worst is not None
    assert f"The worst write() took {span_ns(worst, Span.SERVICE) / 1e6:.1f}ms" in said
    assert f"{session.stall_count} writes took longer than 1.00ms" in said
    assert "Node 1 fell" in said
    assert "zone_reclaim_mode 0 -> 1: new-page p99" in said


def test_a_report_of_what_is_left_of_a_rolled_up_recording_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.wlat", {}, durable=False)
    store.append([a_frame(i, [a_write(at(i), 5_000)]) for i in range(3 * BLOCK_FRAMES)])
    store.forget_before(at(2 * BLOCK_FRAMES))
    store.close()
    said = CliRunner().invoke(report, [str(tmp_path / "a.wlat"), "--text"])
    assert said.exit_code == 0
    told = " ".join(said.stdout.split())
    assert f"the end of a longer recording: {2 * BLOCK_FRAMES} earlier frames were rolled up" in told
    assert CliRunner().invoke(cut, [str(tmp_path / "a.wlat")]).output.endswith(f"{BLOCK_FRAMES} frames\n")


def test_late_wakes_are_told_apart_from_stalls_in_write_itself() -> None:
    frames = []
    for i in range(60):
        late = [replace(a_write(at(i) + k * 50_000, 20_000), planned_ns=at(i) - 5_000_000 - k) for k in range(20)]
        stalls = (*late, a_write(at(i) + 9_000_000, 2_000_000 + i)) if i in (20, 30) else tuple(late)
        frame = a_frame(i, list(stalls))
        assert frame.writer is not None
        frames.append(replace(frame, writer=replace(frame.writer, stalls=stalls, stall_count=len(stalls))))
    digest = digest_of(frames)
    said = " ".join(words.summary(digest))
    assert "2 writes took longer than 1.00ms." in said
    assert "1,200 more were late by as much because the writer was woken late" in said
    assert [row[1] for row in words.longest(digest).rows] == ["2.00ms", "2.00ms"]
    assert [row[1] for row in words.latest(digest).rows] == ["20.0us"] * 5
    text = "".join(page.report_page(digest))
    assert text.index("The longest write()") < text.index("The latest wakes")
    side = Side("a").take_all(frames)
    assert (side.stalls, side.late_wakes, side.causes.total()) == (2, 1_200, 2)
    assert Side("a", Span.RESPONSE).take_all(frames).stalls == 1_202


def test_every_write_is_in_the_heat_map_and_every_stall_in_its_column() -> None:
    digest = story()
    assert sum(sum(rows.values()) for rows in digest.heat if rows) == sum(digest.session.writes)
    assert sum(column.stalls for column in digest.columns if column) == digest.session.stall_count
    worst = digest.session.worst_ever(Span.SERVICE)
    assert worst is not None
    assert max(c.worst_ns[Span.SERVICE] for c in digest.columns if c) == span_ns(worst, Span.SERVICE)
    assert digest.longest[0].write.service_ns >= digest.longest[-1].write.service_ns
    assert len(digest.longest) <= KEPT_STALLS


def test_rows_of_the_heat_map_are_where_they_are_drawn() -> None:
    assert [row_of_ns(row_middle_ns(row)) for row in range(HEAT_ROWS)] == list(range(HEAT_ROWS))
    assert row_of_ns(0) == 0
    assert row_of_ns(1e20) == HEAT_ROWS - 1


def test_a_percentile_curve_is_that_of_the_merged_histogram() -> None:
    digest = story()
    merged = Histogram()
    for frame in TOLD:
        assert frame.writer is not None
        for delta in frame.writer.histograms:
            if (delta.span, delta.write_class) == (Span.SERVICE, WriteClass.NEW_PAGE):
                merged.add(delta)
    curve = digest.curve(Span.SERVICE, WriteClass.NEW_PAGE)
    assert curve[0][0] == 1
    assert curve[-1][0] == pytest.approx(1 / merged.total)
    assert [ns for _, ns in curve[:-1]] == merged.quantiles([1 - above for above, _ in curve[:-1]])
    figures = digest.session.whole(Span.SERVICE, WriteClass.NEW_PAGE)
    assert figures is not None
    assert curve[-1][1] == figures.max_ns
    durations = [ns for _, ns in curve]
    assert durations == sorted(durations)


def test_the_chart_of_the_story_has_latency_both_nodes_and_the_marks() -> None:
    drawn = {chart.name: chart.figure for chart in charts(story())}
    assert list(drawn) == ["timeline", "distribution", "heat"]
    names = [trace["name"] for trace in drawn["timeline"]["data"]]
    assert names == ["worst write()", "stalls by cause", "node 0", "node 1", "marks"]
    assert len(drawn["timeline"]["layout"]["annotations"]) == 3
    worst = drawn["timeline"]["data"][0]
    assert len(worst["x"]) == len(worst["y"]) == len(worst["text"]) <= COLUMNS
    assert {trace["name"] for trace in drawn["distribution"]["data"]} == {"in-page", "new-page", "prepared", "all, response"}


def test_a_gap_breaks_the_line() -> None:
    drawn = charts(digest_of(scripted(5 * 20, "gap")))
    worst = drawn[0].figure["data"][0]
    assert None in worst["y"]


def test_next_to_nothing_known_is_still_a_report() -> None:
    digest = digest_of(a_few_writes())
    text = "\n".join(report_lines(digest))
    assert "n/a" in text
    assert "unknown host" in text
    assert "".join(page.report_page(digest)).count("<section") >= 6
    nothing = "\n".join(report_lines(digest_of([a_few_writes()[1]])))
    assert "Nothing was written: the disk is full" in nothing


def test_a_page_lets_no_text_of_a_recording_become_markup() -> None:
    digest = hostile()
    text = "".join(page.report_page(digest))
    elements = parsed(text)
    assert [attributes.get("id") for tag, attributes in elements.found if tag == "script"] == ["charts", "library", None]
    assert not [tag for tag, _ in elements.found if tag in ("img", "b", "iframe", "object", "form", "a")]
    assert not [attributes for _, attributes in elements.found if any(name.startswith("on") for name in attributes)]
    assert elements.text.count(HOSTILE.partition("\x1b")[0]) > 5
    assert "<script>document" not in text
    assert not {"\x1b", "\u202e", "\udcff"}.intersection(elements.text)
    assert "http://" not in re.sub(r'(?s)<script type="application/octet-stream".*?</script>', "", text)


def test_texts_of_charts_are_no_markup_for_the_chart_library_either() -> None:
    told = json.dumps([chart.figure for chart in charts(hostile())])
    assert "document.title" in told
    assert "<script" not in told
    assert "<img" not in told


def test_a_hostile_recording_does_not_steer_the_terminal() -> None:
    text = "\n".join(report_lines(hostile()))
    assert "document.title" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(report, [*map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def test_the_command_writes_a_new_file_beside_the_recording(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", TOLD[:100])
    assert "one file for any browser" in run(path).output
    assert (tmp_path / "a.html").stat().st_size < 4_000_000
    assert "is not overwritten" in run(path, status=2).output
    run(path, "-o", tmp_path / "b.html")
    assert "Latency and headroom" in (tmp_path / "b.html").read_text(encoding="utf-8")
    assert "cannot be read" in run(tmp_path / "none.wlat", status=2).output


def test_the_text_report_fits_the_terminal(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", TOLD[:150])
    said = run(path, "--text").output
    assert max(map(len, said.splitlines())) <= 110
    for words_of_it in ("p99.99", "headroom above the low watermark", "suspects", "how it was measured", "Linux 6.12.0-demo"):
        assert words_of_it in said


def test_without_the_chart_library_one_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = recorded(tmp_path / "a.wlat", TOLD[:20])
    monkeypatch.setattr(page.importlib.util, "find_spec", lambda _name: None)
    said = run(path, status=2).output
    assert 'pip install "wlat_tui[report]"' in said
    assert not (tmp_path / "a.html").exists()
    assert "p99" in run(path, "--text").output
