"""The page in a real browser: charts are drawn, nothing is fetched, nothing is complained about, nothing hostile runs."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from tests.compare.makers import a_side
from tests.report.browser import browse, needs_a_browser
from tests.report.makers import hostile, story
from wlat_tui.compare.comparison import compare
from wlat_tui.compare.page import comparison_page
from wlat_tui.report.page import report_page

pytestmark = needs_a_browser()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    page = tmp_path_factory.mktemp("pages") / "told.html"
    page.write_text("".join(report_page(story())), encoding="utf-8")
    return page


def test_charts_are_drawn_without_a_network_and_without_a_complaint(told: Path, tmp_path: Path) -> None:
    page, complaints = browse(told, tmp_path)
    assert complaints == []
    assert 'data-charts="drawn"' in page
    for name in ("timeline", "distribution", "heat"):
        chart = page[page.index(f'id="{name}"') :]
        assert 'class="main-svg"' in chart[:20_000], name
        assert re.search(r'role="img" aria-label="[^"]{20,}"', page[page.index(f'id="{name}"') - 100 :][:900]), name
    assert page.count('class="scatterlayer') >= 2
    assert len(re.findall(r'class="trace scatter', page)) >= 8
    assert "sendChartToCloud" not in re.sub(r"(?s)<script.*?</script>", "", page)
    assert 'data-theme="light"' in page


def test_a_hostile_recording_runs_nothing(tmp_path: Path) -> None:
    page = tmp_path / "hostile.html"
    page.write_text("".join(report_page(hostile())), encoding="utf-8")
    seen, complaints = browse(page, tmp_path)
    assert complaints == []
    assert 'data-charts="drawn"' in seen
    assert "<title>owned" not in seen
    assert "<img" not in re.sub(r"(?s)<script.*?</script>", "", seen)


def test_a_comparison_is_a_page_with_both_curves_in_each_plot(tmp_path: Path) -> None:
    dice = Random(1)
    hostile = "</script><img src=x onerror=alert(1)>"
    comparison = compare(a_side(hostile, dice, 30), a_side("on", dice, 30, slower=0.5), repetitions=100)
    page = tmp_path / "compared.html"
    page.write_text("".join(comparison_page([comparison, comparison])), encoding="utf-8")
    seen, complaints = browse(page, tmp_path)
    assert complaints == []
    assert 'data-charts="drawn"' in seen
    assert len(re.findall(r'class="trace scatter', seen)) == 4
    assert "<img" not in re.sub(r"(?s)<script.*?</script>", "", seen)


def test_the_browser_of_these_tests_does_tell_complaints(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<html><body><script>console.error("told"); throw new Error("thrown")</script></body></html>')
    _, complaints = browse(page, tmp_path)
    assert "told" in complaints[0]
    assert "thrown" in complaints[1]
