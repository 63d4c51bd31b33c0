"""The model stands between frames and panels: it knows neither sources nor screens."""

from __future__ import annotations

import ast
from pathlib import Path

import wlat_tui.model

ALLOWED = ("wlat_tui.frame", "wlat_tui.evidence", "wlat_tui.native", "wlat_tui.units", "wlat_tui.model")
FORBIDDEN = ("time", "datetime", "textual", "asyncio")


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_the_model_imports_frames_and_the_native_histogram_only_and_no_clock() -> None:
    files = list(Path(wlat_tui.model.__file__).parent.glob("*.py"))
    assert len(files) > 5
    for path in files:
        names = imported(path)
        assert not [n for n in names if n.startswith("wlat_tui") and not n.startswith(ALLOWED)], path.name
        assert not names.intersection(FORBIDDEN), path.name
