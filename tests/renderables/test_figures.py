"""The table of percentiles."""

from __future__ import annotations

from wlat_tui.frame import WriteClass
from wlat_tui.model.percentiles import Quantiles
from wlat_tui.renderables.figures import CLASS_COLUMN_CELLS, TABLE_CELLS, Figures, table
from wlat_tui.renderables.line import plain

FAST = Quantiles(50_000, 1_020, 2_000, 5_370, 7_820, 9_880, 11_700, True)
FEW = Quantiles(120, 4_040, 5_000, 8_670, None, None, 2_500_000, True)
FIGURES = Figures(
    10, (FAST, FAST), (FEW, None), {WriteClass.IN_PAGE: FAST, WriteClass.NEW_PAGE: FEW, WriteClass.PREPARED: None}
)
MS = 1_000_000


def lines(width: int, height: int) -> list[str]:
    return [plain(line).rstrip() for line in table(FIGURES, MS, width, height)]


def test_the_whole_table() -> None:
    assert lines(TABLE_CELLS, 12) == [
        "                 p50     p99   p99.9  p99.99     max",
        "service 10s   1.02us  5.37us  7.82us  9.88us  11.7us",
        "  session     1.02us  5.37us  7.82us  9.88us  11.7us",
        "response 10s  4.04us  8.67us     n/a     n/a  2.50ms",
        "  session        n/a     n/a     n/a     n/a     n/a",
        "",
        "service 10s by what the write touched",
        "in-page       1.02us  5.37us  7.82us  9.88us  11.7us",
        "new-page      4.04us  8.67us     n/a     n/a  2.50ms",
        "prepared         n/a     n/a     n/a     n/a     n/a",
    ]


def test_with_few_rows_the_classes_stand_beside() -> None:
    shown = lines(TABLE_CELLS + CLASS_COLUMN_CELLS, 5)
    assert shown[0].endswith("max   by page       p99     max")
    assert shown[2].endswith("  11.7us   new-page   8.67us  2.50ms")
    assert shown[3].endswith("  2.50ms   prepared      n/a     n/a")
    assert len(shown) == 5


def test_it_never_exceeds_its_rows() -> None:
    assert all(len(lines(TABLE_CELLS, height)) <= height for height in range(1, 15))


def test_what_is_over_the_threshold_stands_out() -> None:
    row = table(FIGURES, MS, TABLE_CELLS, 12)[3]
    assert [text.strip() for text, role in row if role == "worst"] == ["2.50ms"]
