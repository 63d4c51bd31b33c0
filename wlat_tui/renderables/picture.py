"""What the terminal shows against what it should show, cell by cell.

Textual sends whole lines of a widget whenever part of it changed and never compares them with what is on screen already. Over
SSH the bytes matter more than the little work of comparing: only cells that differ leave here, and when the link is slow,
several updates melt into one because only the last state is compared.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size

_TOKEN = re.compile(
    r"\x1b\[(?P<parameters>[0-?]*)[ -/]*(?P<final>[@-~])"
    r"|(?P<osc>\x1b\][^\x07\x1b]*(?:\x07|\x1b\\))"
    r"|(?P<escape>\x1b.)"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
    r"|(?P<control>[\x00-\x1f\x7f])"
)
_CLIPBOARD = "\x1b]52;"
_SYNC_ON, _SYNC_OFF = "\x1b[?2026h", "\x1b[?2026l"
_JOIN_CELLS = 4
"""Repeating up to this many unchanged cells is cheaper than moving the cursor over them (4 to 8 bytes)."""


class Picture:
    """The wanted and the shown state of one terminal."""

    def __init__(self) -> None:
        self._wanted: dict[int, tuple[list[str], list[str]]] = {}
        self._shown: dict[int, tuple[list[str], list[str]]] = {}
        self._dirty: set[int] = set()
        self._x = 0
        self._y = 0
        self._style = ""
        self._synchronised = False
        self._size: tuple[int, int] | None = None

    @property
    def changed(self) -> bool:
        """True when something was fed since the last `take_changes`."""
        return bool(self._dirty)

    def feed(self, data: str) -> str:
        """Take terminal output in; return the control sequences that are not drawing and must be passed on as they are."""
        passed: list[str] = []
        for token in _TOKEN.finditer(data):
            kind = token.lastgroup
            if kind == "text":
                self._write(token.group())
            elif kind == "final":
                if not self._move_or_style(token["final"], token["parameters"]):
                    sequence = token.group()
                    if sequence in (_SYNC_ON, _SYNC_OFF):
                        self._synchronised = True
                    else:
                        passed.append(sequence)
            elif kind == "control" and token.group() in "\r\n":
                self._x = 0
                self._y += token.group() == "\n"
            elif kind != "osc" or token.group().startswith(_CLIPBOARD):  # hyperlinks and titles are not drawn here
                passed.append(token.group())
        return "".join(passed)

    def forget(self) -> None:
        """The terminal's content is unknown (another screen, a resize): everything counts as changed."""
        self._shown.clear()
        self._dirty.update(self._wanted)

    def resize(self, width: int, height: int) -> None:
        """Drop what lies outside a terminal of this size and forget what is shown: terminals reflow in their own ways.

        What is fed later is cut to this size too: the last frame laid out for a larger terminal may still arrive, and cells
        beyond its edge would be piled up by the terminal in its last column.
        """
        self._size = width, height
        self._wanted = {y: row for y, row in self._wanted.items() if y < height}
        for row in self._wanted.values():
            _cut(*row, width)
        self._dirty.clear()
        self.forget()

    def take_changes(self) -> str:
        """Return the shortest known output that makes the terminal show what is wanted, and assume that it is shown."""
        out: list[str] = []
        style = ""
        for y in sorted(self._dirty):
            wanted = self._wanted.get(y)
            if wanted is None or wanted == self._shown.get(y):
                continue
            style = _row_changes(out, y, wanted, self._shown.get(y), style)
            self._shown[y] = (wanted[0].copy(), wanted[1].copy())
        self._dirty.clear()
        if not out:
            return ""
        if style:
            out.append("\x1b[0m")
        if self._synchronised:
            return f"{_SYNC_ON}{''.join(out)}{_SYNC_OFF}"
        return "".join(out)

    def _move_or_style(self, final: str, parameters: str) -> bool:
        if final == "m":
            reset = parameters in ("", "0")
            self._style = "" if reset else f"{self._style};{parameters}" if self._style else parameters
            return True
        if final == "H":
            row, _, column = parameters.partition(";")
            self._y = int(row or 1) - 1
            self._x = int(column or 1) - 1
            return True
        return False

    def _write(self, text: str) -> None:
        if self._size is not None and self._y >= self._size[1]:
            return
        chars, styles = self._wanted.setdefault(self._y, ([], []))
        if len(chars) < self._x:
            missing = self._x - len(chars)
            chars.extend(" " * missing)
            styles.extend([""] * missing)
        cells = list(text) if text.isascii() or cell_len(text) == len(text) else _split_cells(text)
        end = self._x + len(cells)
        if self._x < len(chars) and not chars[self._x]:  # overwriting one half of a wide character leaves a blank
            chars[self._x - 1] = " "
        if end < len(chars) and not chars[end]:
            chars[end] = " "
        chars[self._x : end] = cells
        styles[self._x : end] = [self._style] * len(cells)
        self._x = end
        if self._size is not None:
            _cut(chars, styles, self._size[0])
        self._dirty.add(self._y)


def _cut(chars: list[str], styles: list[str], width: int) -> None:
    """Drop the cells behind the edge; a wide character that would need one of them becomes a blank."""
    if len(chars) > width:
        if not chars[width]:
            chars[width - 1] = " "
        del chars[width:], styles[width:]


def _split_cells(text: str) -> list[str]:
    """One string per cell; a double-width character is followed by an empty one, a combining mark joins its base."""
    cells: list[str] = []
    for char in text:
        size = get_character_cell_size(char)
        if size == 0:
            if cells:
                cells[-1] += char
        else:
            cells.append(char)
            cells.extend([""] * (size - 1))
    return cells


def _row_changes(
    out: list[str], y: int, wanted: tuple[list[str], list[str]], shown: tuple[list[str], list[str]] | None, style: str
) -> str:
    """Append what turns the shown row into the wanted one; return the style in force afterwards."""
    chars, styles = wanted
    if shown is None:
        changed = list(range(len(chars)))
    else:
        old_chars, old_styles = shown
        changed = [
            x
            for x, (char, cell_style) in enumerate(zip(chars, styles, strict=True))
            if x >= len(old_chars) or char != old_chars[x] or cell_style != old_styles[x]
        ]
    cursor = -1
    for x in changed:
        if x < cursor:
            continue
        start = x
        while start and not chars[start]:  # never begin in the second half of a wide character
            start -= 1
        if cursor < 0 or start - cursor > _JOIN_CELLS:
            out.append(f"\x1b[{y + 1};{start + 1}H" if cursor < 0 else f"\x1b[{start + 1}G")
            cursor = start
        end = x + 1
        while end < len(chars) and not chars[end]:
            end += 1
        for cell in range(cursor, end):
            if styles[cell] != style:
                out.append(_switch(style, styles[cell]))
                style = styles[cell]
            out.append(chars[cell])
        cursor = end
    return style


@lru_cache(4096)
def _parts(style: str) -> tuple[str, str, str]:
    """Split SGR parameters into attributes, foreground and background."""
    attributes: list[str] = []
    foreground = background = ""
    codes = iter(style.split(";") if style else ())
    for code in codes:
        if code in ("38", "48"):
            kind = next(codes, "")
            colour = ";".join([code, kind, *(next(codes, "") for _ in range(3 if kind == "2" else 1))])
            foreground, background = (colour, background) if code == "38" else (foreground, colour)
        elif code.isdigit() and (30 <= int(code) <= 37 or 90 <= int(code) <= 97):
            foreground = code
        elif code.isdigit() and (40 <= int(code) <= 47 or 100 <= int(code) <= 107):
            background = code
        elif code == "39":
            foreground = ""
        elif code == "49":
            background = ""
        else:
            attributes.append(code)
    return ";".join(attributes), foreground, background


@lru_cache(4096)
def _switch(old: str, new: str) -> str:
    """The shortest SGR sequence from one style to another."""
    old_attributes, old_foreground, old_background = _parts(old)
    attributes, foreground, background = _parts(new)
    if attributes != old_attributes:
        return f"\x1b[{';'.join(part for part in ('0', attributes, foreground, background) if part)}m"
    changes = []
    if foreground != old_foreground:
        changes.append(foreground or "39")
    if background != old_background:
        changes.append(background or "49")
    return f"\x1b[{';'.join(changes)}m" if changes else ""
