"""The model stands between frames and panels: it knows neither sources nor screens. Causes stand below it."""

from __future__ import annotations

import ast
from pathlib import Path

import wlat_tui.causes
import wlat_tui.model

RAW = ("wlat_tui.frame", "wlat_tui.evidence", "wlat_tui.units")
ALLOWED = (*RAW, "wlat_tui.histogram", "wlat_tui.causes", "wlat_tui.model")
FORBIDDEN = ("time", "datetime", "textual", "asyncio")


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def check(package: str, allowed: tuple[str, ...]) -> None:
    files = list(Path(package).parent.glob("*.py"))
    assert len(files) > 5
    for path in files:
        names = imported(path)
        assert not [n for n in names if n.startswith("wlat_tui") and not n.startswith(allowed)], path.name
        assert not names.intersection(FORBIDDEN), path.name


def test_the_model_imports_frames_causes_and_the_native_histogram_only_and_no_clock() -> None:
    check(wlat_tui.model.__file__, ALLOWED)


def test_causes_import_what_was_observed_only() -> None:
    check(wlat_tui.causes.__file__, (*RAW, "wlat_tui.causes"))
