"""/proc/stat: every CPU's own line, whatever columns this kernel prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.tree import write
from wlat_tui.evidence import CpuTime
from wlat_tui.kernel.cpu_times import FIELDS, CpuTimes, parse_cpu_times

TICKS = st.integers(0, (1 << 64) - 1)
STAT = """cpu  300 0 300 3000 3 0 3 30 0 0
cpu0 100 0 100 1000 1 0 1 10 0 0
cpu12 200 0 200 2000 2 0 2 20 0 0
intr 12345 0 0 1
ctxt 99
btime 1700000000
softirq 5 1 1 1 1 1
"""


def test_each_cpu_is_told_and_the_sum_of_all_is_left_out() -> None:
    first, second = parse_cpu_times(STAT)
    assert (first.cpu, first.ticks["steal"], first.ticks["guest_nice"]) == (0, 10, 0)
    assert (second.cpu, second.ticks["idle"]) == (12, 2000)


@given(
    st.dictionaries(st.integers(0, 9999), st.lists(TICKS, min_size=1, max_size=14), max_size=20), st.text("ab0 \n", max_size=40)
)
def test_what_is_printed_is_read_whatever_columns_there_are(printed: dict[int, list[int]], more: str) -> None:
    text = "".join(f"cpu{cpu} {' '.join(map(str, ticks))}\n" for cpu, ticks in printed.items())
    expected = tuple(CpuTime(cpu, dict(zip(FIELDS, ticks, strict=False))) for cpu, ticks in printed.items())
    assert parse_cpu_times(f"cpu  1 2 3\n{text}{more}") == expected


@given(st.text(max_size=200))
def test_no_text_crashes_it(text: str) -> None:
    parse_cpu_times(text)


def test_the_file_is_kept_open_and_read_anew(tmp_path: Path) -> None:
    reader = CpuTimes(write(tmp_path, {"proc/stat": STAT}))
    assert len(reader.read()) == 2
    (tmp_path / "proc/stat").write_text("cpu0 1 2 3 4\n")
    assert [found.ticks for found in reader.read()] == [{"user": 1, "nice": 2, "system": 3, "idle": 4}]
    reader.close()
    with pytest.raises(FileNotFoundError):
        CpuTimes(tmp_path / "nowhere")
