"""One table as Parquet, for pandas, DuckDB, Spark and their kin. Written with pyarrow, which is an optional extra."""

from __future__ import annotations

from itertools import islice
from typing import Any, BinaryIO

from wlat_tui.exports import tables
from wlat_tui.exports.job import Exporter, Job, NotInstalled

GROUP_ROWS = 16_384
"""Rows of a row group: all that is ever in memory."""


def write(job: Job, file: BinaryIO) -> None:
    """Columns are int64 and string, all of them nullable; the file's metadata names the recording's format."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise NotInstalled("Parquet needs pyarrow: 'pip install \"wlat_tui[parquet]\"' (or pip install pyarrow)") from error
    kinds = {"INTEGER": pyarrow.int64(), "TEXT": pyarrow.string()}
    columns = tables.columns(job)
    schema = pyarrow.schema(
        [(name, kinds[kind]) for name, kind in columns],
        metadata={"wlat_format": f"{job.recording.version // 1000}.{job.recording.version % 1000}", "wlat_table": job.table},
    )
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        rows = tables.rows(job)
        while group := list(islice(rows, GROUP_ROWS)):
            values = zip(*group, strict=True)
            arrays = [_array(pyarrow, column, field.type) for column, field in zip(values, schema, strict=True)]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _array(pyarrow: Any, values: tuple[Any, ...], kind: Any) -> Any:
    """SQLite lets a column hold what it likes; what does not fit the column's type was not written by wlat."""
    wanted = str if kind == pyarrow.string() else int
    return pyarrow.array([value if isinstance(value, wanted) else None for value in values], kind)


EXPORTER = Exporter("parquet", "one table, for pandas and the like", write, binary=True)
