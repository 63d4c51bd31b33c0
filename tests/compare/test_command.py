"""``wlat compare`` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.model.makers import at
from tests.sessions.makers import recorded, scripted
from wlat_tui.commands.compare import command
from wlat_tui.compare.spans import Chosen, Stretch, around, experiment_sides, read_side, split_name
from wlat_tui.frame import Frame, Mark, Span
from wlat_tui.model.phases import KIND, MEASURED, OVER, WARM_UP
from wlat_tui.renderables.percentile_plot import percentile_plot
from wlat_tui.sessions.recording import Recording

WHOLE = scripted(5 * 140)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """zone_reclaim_mode from 45 s to 80 s, prewarming from 110 s on."""
    return recorded(tmp_path_factory.mktemp("compare") / "told.wlat", WHOLE)


def run(*arguments: object, status: int = 0) -> Result:
    result = CliRunner().invoke(command, [*map(str, arguments)])
    assert result.exit_code == status, result.output
    return result


def test_a_toggle_is_compared_over_all_the_time_it_stood_so(told: Path) -> None:
    with Recording(told) as recording:
        off, on = around(recording, "zone_reclaim_mode")
        assert (off.name, on.name) == ("zone_reclaim_mode=0", "zone_reclaim_mode=1")
        assert [(s.first // 5, s.end // 5) for s in off.stretches] == [(0, 45), (81, 110), (111, 140)]
        assert [(s.first // 5, s.end // 5) for s in on.stretches] == [(46, 80)]
        side = read_side(recording, on, Span.SERVICE)
    assert side.knobs["zone_reclaim_mode"] == ["1"]
    assert side.host is not None


def test_the_story_of_the_demo_comes_out(told: Path) -> None:
    said = run(told, "--around", "prewarm").output
    assert said.startswith("verdict: prewarm=write is better than prewarm=off in p50")
    assert "different values of zone_reclaim_mode" in said
    assert "different settings of prewarm" not in said
    assert "AAAA" in said
    assert "BBBB" in said
    assert max(map(len, said.splitlines())) < 130


def test_a_page_is_made_on_request_and_never_over_another(told: Path, tmp_path: Path) -> None:
    page = tmp_path / "compared.html"
    arguments = (f"{told}@..12s", f"{told}@20s..32s", "-o", page)
    assert run(*arguments).output == "Not enough data to tell.\n"
    text = page.read_text(encoding="utf-8")
    assert "told.wlat@20s..32s compared with told.wlat@..12s" in text
    assert "is not overwritten" in run(*arguments, status=2).output


def test_two_spans_of_one_file_are_compared(told: Path) -> None:
    said = run(f"{told}@..12s", f"{told}@20s..32s", "--span", "response").output
    assert "verdict: Not enough data to tell." in said
    assert "A  told.wlat@..12s: 12.0s" in said
    assert "response time" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{}",), "is not the recording of an experiment"),
        (("{}", "--around", "swappiness"), "has no mark 'swappiness'; it has: zone_reclaim_mode, prewarm"),
        (("{}", "--around", "99"), "has no mark '99'"),
        (("{}", "{}", "--around", "1"), "--around takes one recording"),
        (("{}", "{}", "{}"), "more than two"),
        (("{}@5h..6h", "{}"), "holds no frame"),
        (("{}@soon..6h", "{}"), "'soon' is not a moment"),
        (("nowhere.wlat", "{}"), "nowhere.wlat cannot be read"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(told: Path, arguments: tuple[str, ...], words: str) -> None:
    result = run(*(text.format(told) for text in arguments), status=2)
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_file_whose_name_looks_like_a_span_is_a_file(tmp_path: Path) -> None:
    assert split_name("a.wlat@1s..2s") == (Path("a.wlat"), "1s", "2s")
    assert split_name("a@b.wlat") == (Path("a@b.wlat"), None, None)
    odd = tmp_path / "a.wlat@1s..2s"
    odd.touch()
    assert split_name(str(odd)) == (odd, None, None)


def marked(frames: list[Frame], marks: list[Mark]) -> list[Frame]:
    from dataclasses import replace

    return [replace(f, marks=tuple(m for m in marks if f.begin_ns <= m.at_ns < f.end_ns)) for f in frames]


def test_the_sides_of_an_experiment_are_found_without_their_warm_up(tmp_path: Path) -> None:
    begin_ns = WHOLE[0].begin_ns - at(0) + 10_000
    marks = []
    for turn, side in enumerate(("off", "on", "on", "off")):
        for second, what in ((0, WARM_UP), (2, MEASURED), (10, OVER)):
            at_ns = begin_ns + at(5 * (10 * turn + second)) - 10_000
            marks.append(Mark(at_ns, KIND, side, str(turn // 2), what, ""))
    path = recorded(tmp_path / "experiment.wlat", marked(WHOLE[:201], marks))
    with Recording(path) as recording:
        assert experiment_sides(recording) == [
            Chosen("off", (Stretch(10, 50), Stretch(160, 200))),
            Chosen("on", (Stretch(60, 100), Stretch(110, 150))),
        ]
        side = read_side(recording, experiment_sides(recording)[0], Span.SERVICE)
        assert side.parts == 2
        assert side.length_ns == 16_000_000_000
    said = run(path).output
    assert "A  off: 16.0s in 2 parts" in said
    assert "B  on: 16.0s in 2 parts" in said


def test_before_and_after_a_note_are_all_there_is(tmp_path: Path) -> None:
    note = Mark(WHOLE[50].begin_ns + 1, "note", "note", None, None, "load on")
    path = recorded(tmp_path / "noted.wlat", marked(WHOLE[:100], [note]))
    with Recording(path) as recording:
        before, after = around(recording, "load")
    assert before == Chosen("before 'load on'", (Stretch(0, 50),))
    assert after == Chosen("after 'load on'", (Stretch(56, 100),))


def test_a_percentile_plot_of_nothing_is_nothing_and_letters_are_curves() -> None:
    assert percentile_plot({"A": ()}, 60, 10) == []
    lines = percentile_plot({"A": [(0.5, 1_000), (0.01, 20_000)], "B": ()}, 60, 10)
    assert len(lines) == 10
    assert any("A" in line for line in lines)
    assert lines[-1].split() == ["p50", "p90", "p99"]
