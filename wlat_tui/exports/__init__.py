"""A recording for other programs: one format per file of this package, listed here once."""

from __future__ import annotations

from wlat_tui.exports import csv_table, hlog, json_lines, openmetrics, parquet, perfetto
from wlat_tui.exports.job import Exporter

EXPORTERS: tuple[Exporter, ...] = (
    csv_table.EXPORTER,
    json_lines.EXPORTER,
    parquet.EXPORTER,
    hlog.EXPORTER,
    openmetrics.EXPORTER,
    perfetto.EXPORTER,
)
BY_NAME = {exporter.name: exporter for exporter in EXPORTERS}
