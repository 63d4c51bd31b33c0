"""Tables as CSV and Parquet, and what the command refuses."""

from __future__ import annotations

import csv
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from pyarrow import parquet

from tests.exports.makers import WHOLE, a_recording, exported
from wlat_tui.exports import EXPORTERS
from wlat_tui.exports.tables import NAMES


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_recording(tmp_path_factory.mktemp("tables"))


@pytest.mark.parametrize("table", [name for name in NAMES if name != "histogram"])
def test_parquet_holds_what_csv_holds(file: Path, table: str) -> None:
    rows = list(csv.reader(io.StringIO(exported(file, "csv", "--table", table).decode())))
    read = parquet.read_table(io.BytesIO(exported(file, "parquet", "--table", table)))
    assert read.column_names == rows[0]
    assert read.num_rows == len(rows) - 1
    values = [["" if value is None else str(value) for value in row.values()] for row in read.to_pylist()]
    assert values == rows[1:]
    assert read.schema.metadata[b"wlat_table"].decode() == table


def test_the_histogram_table_holds_every_write(file: Path) -> None:
    read = parquet.read_table(io.BytesIO(exported(file, "parquet", "--table", "histogram", "--to", "10s"))).to_pylist()
    service = [row for row in read if row["span"] == "service"]
    assert sum(row["count"] for row in service) == sum(sum(frame.writer.writes) for frame in WHOLE[:50] if frame.writer)
    assert {row["class"] for row in service} == {"in_page", "new_page"}
    assert all(row["low_ns"] <= row["high_ns"] for row in read)
    assert {row["frame"] for row in read} == set(range(50))


def test_without_pyarrow_one_sentence_says_what_to_install(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = exported(file, "parquet", "-o", str(tmp_path / "a.parquet"), status=2).decode()
    assert 'pip install "wlat_tui[parquet]"' in said
    assert not (tmp_path / "a.parquet").exists()


def test_what_is_binary_does_not_go_to_a_terminal(file: Path) -> None:
    ours, theirs = pty.openpty()
    try:
        command = [sys.executable, "-m", "wlat_tui", "export", str(file), "--format", "parquet"]
        ran = subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    finally:
        os.close(ours)
        os.close(theirs)
    assert ran.returncode == 2
    assert "is not for a terminal" in ran.stderr


def test_every_format_has_a_name_and_a_few_words_of_its_own() -> None:
    assert len({exporter.name for exporter in EXPORTERS}) == len(EXPORTERS) == 6
    assert all(exporter.says for exporter in EXPORTERS)
