"""A line of the screen: spans of text, each with a role. A role says what the text means; the theme gives it a colour."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from rich.cells import cell_len, set_cell_size

Role = Literal[
    "", "dim", "label", "heading", "focus", "cursor", "good", "notice", "warn", "bad", "worst", "threshold", "scale", "mark",
    "node0", "node1", "node2", "node3", "node4", "node5",
    "memory", "lock", "filesystem", "scheduler", "interrupt", "host",
]  # fmt: skip
Span = tuple[str, Role]
Line = tuple[Span, ...]

NODE_ROLES: tuple[Role, ...] = ("node0", "node1", "node2", "node3", "node4", "node5")


def plain(line: Line) -> str:
    """The text without the roles."""
    return "".join(text for text, _ in line)


def width_of(line: Line) -> int:
    """Cells that the line takes."""
    return sum(cell_len(text) for text, _ in line)


def merged(spans: Iterable[Span]) -> Line:
    """Join neighbours of one role, drop empty ones: each span costs a style on the wire."""
    out: list[Span] = []
    for text, role in spans:
        if not text:
            continue
        if out and out[-1][1] == role:
            out[-1] = (out[-1][0] + text, role)
        else:
            out.append((text, role))
    return tuple(out)


def fit(line: Line, width: int, ellipsis: str = "…") -> Line:
    """Cut (with an ellipsis) or pad to exactly *width* cells."""
    used = width_of(line)
    if used <= width:
        return (*line, (" " * (width - used), "")) if used < width else line
    out: list[Span] = []
    room = max(0, width - cell_len(ellipsis))
    for text, role in line:
        size = cell_len(text)
        if size > room:
            out.append((set_cell_size(text, room) + ellipsis, role))
            break
        out.append((text, role))
        room -= size
    return merged(out) if width else ()


def split(line: Line, cells: int) -> tuple[Line, Line]:
    """The first *cells* cells of a line, and the rest."""
    head: list[Span] = []
    for index, (text, role) in enumerate(line):
        size = cell_len(text)
        if size > cells:
            left = set_cell_size(text, cells)
            return merged([*head, (left, role)]), merged([(text[len(left) :], role), *line[index + 1 :]])
        head.append((text, role))
        cells -= size
    return tuple(head), ()


def beside(left: Line, left_width: int, right: Line) -> Line:
    """Two lines next to each other."""
    return (*fit(left, left_width), *right)


def first_fitting(candidates: Iterable[Line], width: int, ellipsis: str = "…") -> Line:
    """The first candidate that fits whole, else the last one cut."""
    last: Line = ()
    for last in candidates:
        if width_of(last) <= width:
            return last
    return fit(last, width, ellipsis)
