"""Named facts in columns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.model.facts import Fact, Facts
from wlat_tui.renderables.facts import facts_lines, table_lines
from wlat_tui.renderables.line import plain


def test_facts_stand_in_columns_and_missing_ones_say_why() -> None:
    group = Facts(
        "pages", (Fact("file", "1.00G"), Fact("anon", None, "not printed"), Fact("slab", "2.00M"), Fact("dirty", "0B"))
    )
    assert [plain(line).rstrip() for line in facts_lines([group], 56)] == [
        "pages",
        "  file               1.00G  slab               2.00M",
        "  dirty                 0B",
        "  anon n/a: not printed",
    ]


@given(st.lists(st.tuples(st.text("abc_", max_size=20), st.text("0123,/s", max_size=20))), st.integers(60, 300))
def test_every_fact_is_there_whole_and_no_row_is_wider_than_the_screen(pairs: list[tuple[str, str]], width: int) -> None:
    lines = [plain(line).rstrip() for line in facts_lines([Facts("t", tuple(Fact(n, v) for n, v in pairs))], width)]
    assert all(len(line) <= width for line in lines)
    assert "".join("".join(lines[1:]).split()) == "".join(n + v for n, v in pairs)


def test_a_table_keeps_its_columns() -> None:
    rows = table_lines([("zone", "free"), ("DMA", "1.00M"), ("Normal", "12.0G")])
    assert [plain(row) for row in rows] == ["zone    free", "DMA    1.00M", "Normal 12.0G"]
