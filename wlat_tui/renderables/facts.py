"""Named facts in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from wlat_tui.model.facts import Fact, Facts
from wlat_tui.renderables.line import Line, Span, merged

_GAP = 2
_LEAST_CELLS = 24


def facts_lines(groups: Sequence[Facts], width: int, indent: int = 0) -> list[Line]:
    """A heading per group, its values in columns of one width, and one line per reason for what is missing."""
    lines: list[Line] = []
    for group in groups:
        lines.append(((f"{'':{indent}}{group.title}", "label"),))
        lines += _columns([fact for fact in group.facts if fact.value is not None], width, indent + 2)
        missing: dict[str, list[str]] = {}
        for fact in group.facts:
            if fact.value is None:
                missing.setdefault(fact.why, []).append(fact.name)
        lines += [
            merged([(f"{'':{indent + 2}}{', '.join(names)} ", "dim"), ("n/a", ""), (f": {why}", "dim")])
            for why, names in missing.items()
        ]
    return lines


def _columns(facts: Sequence[Fact], width: int, indent: int) -> list[Line]:
    if not facts:
        return []
    widest = max(cell_len(fact.name) + cell_len(fact.value or "") + 1 for fact in facts)
    cell = max(_LEAST_CELLS, widest)
    count = max(1, (width - indent + _GAP) // (cell + _GAP))
    lines: list[Line] = []
    for start in range(0, len(facts), count):
        spans: list[Span] = [(" " * indent, "")]
        for fact in facts[start : start + count]:
            room = cell - cell_len(fact.name)
            spans += [(fact.name, "dim"), (f"{fact.value:>{room}}", ""), (" " * _GAP, "")]
        lines.append(merged(spans))
    return lines


def table_lines(rows: Sequence[Sequence[str]], indent: int = 0) -> list[Line]:
    """Rows of cells under a heading: the first column to the left, the others to the right."""
    widths = [max(cell_len(row[x]) for row in rows) for x in range(len(rows[0]))]
    lines: list[Line] = []
    for y, row in enumerate(rows):
        cells = [f"{row[0]:<{widths[0]}}", *(f"{text:>{size}}" for text, size in zip(row[1:], widths[1:], strict=True))]
        lines.append(((" " * indent + " ".join(cells), "" if y else "dim"),))
    return lines
