"""The combined chart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wlat_tui.frame import Mark
from wlat_tui.model.series import Column, MemoryColumn
from wlat_tui.renderables.glyphs import ASCII, UNICODE
from wlat_tui.renderables.history import HistoryView, canvas_cells, history
from wlat_tui.renderables.line import Line, plain, width_of

MARK = Mark(0, "applied", "prewarm", "off", "write", "")
PAGES = 4096


def view(width: int, nodes: int = 2) -> HistoryView:
    count = canvas_cells(width)
    latency = [Column(i, i + 1, 20_000 * (1 + i % 7) ** 3, 15_000, None, True, False, ()) for i in range(count)]
    latency[count // 2] = replace(latency[count // 2], marks=(MARK,))
    for i in range(10, 15):
        latency[i] = replace(latency[i], max_ns=None, min_ns=None, has_gap=True)
    memory = {n: [MemoryColumn(i, i + 1, 5, 1000 * n - 3 * i, True, False) for i in range(count)] for n in range(nodes)}
    return HistoryView(120 * 10**9, latency, memory, PAGES, 1_000_000)


def column(lines: list[Line], x: int) -> str:
    return "".join(plain(line)[x] for line in lines)


@pytest.mark.parametrize(("width", "height"), [(60, 8), (100, 12), (200, 30), (300, 60), (80, 5)])
def test_every_line_is_as_wide_as_the_panel_and_there_are_no_more_than_asked(width: int, height: int) -> None:
    lines = history(view(width), width, height, UNICODE)
    assert {width_of(line) for line in lines} == {width}
    assert len(lines) <= height


def test_both_plots_share_one_time_axis() -> None:
    lines = history(view(100), 100, 24, UNICODE)
    text = [plain(line) for line in lines]
    first = min(i for i, line in enumerate(text) if "headroom" in line)
    assert text[0].startswith(" 100ms┤")
    assert text[first].strip().startswith("headroom above the low watermark")
    assert "node 0" in text[first]
    assert "0 low┤" in "".join(text[first:])
    assert [line for line in text if "2min ago" in line and line.rstrip().endswith("now")] == [text[-1]]
    # the mark is one vertical line through both
    mark = next(i for i in range(40, 60) if "│" in column(lines[:first], i) and "│" in column(lines[first + 1 : -2], i))
    assert mark
    assert "prewarm=write" in text[0]


def test_a_gap_in_time_is_a_gap_in_the_picture() -> None:
    lines = history(view(100), 100, 24, UNICODE)
    upper = lines[: next(i for i, line in enumerate(lines) if "headroom" in plain(line))]
    assert set("".join(column(upper, x) for x in range(7 + 11, 7 + 14))) <= {" ", "-"}


def test_plain_ascii_is_plain() -> None:
    assert all(plain(line).isascii() for line in history(view(100), 100, 24, ASCII))


def test_of_many_nodes_the_tightest_are_drawn_and_the_rest_counted() -> None:
    text = "\n".join(plain(line) for line in history(view(120, nodes=64), 120, 24, UNICODE))
    assert "(58 roomier nodes not drawn)" in text


def test_each_node_has_a_role_of_its_own() -> None:
    roles = {role for line in history(view(100, nodes=3), 100, 24, UNICODE) for _, role in line}
    assert {"good", "threshold", "node0", "node1", "node2"} <= roles
