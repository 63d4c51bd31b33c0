"""A screenshot that looks the same in every renderer.

Textual's SVG names a font from the web and trusts its cell width. Here text is set in a font that is installed almost
everywhere, every run starts in its own cell, and lines, blocks and braille dots are drawn as shapes, so they always meet.
"""

from __future__ import annotations

import html
import re

CELL_WIDTH, CELL_HEIGHT = 12.2, 24.4
"""Of Rich's SVG, in its own units."""
_BASELINE = 18.5
"""From the top of a cell's background to the baseline of its text, as Rich places them."""
_FONT = '"DejaVu Sans Mono", Menlo, Consolas, monospace'
_FONT_SIZE = round(CELL_WIDTH / 0.60205, 3)
"""At which DejaVu Sans Mono's characters are one cell wide."""
_TEXT = re.compile(r'<text class="([^"]+)" x="([^"]+)" y="([^"]+)"[^>]*?(clip-path="[^"]+")>(.*?)</text>', re.S)
_LINE = 1.4
"""Thickness of lines."""
_DOT = 2.6
_SEAM = 0.4
"""Neighbouring blocks overlap by this, or the background would shine through where they meet."""
_ARMS = {"─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu"} | {
    "├": "udr", "┤": "udl", "┬": "lrd", "┴": "lru", "┼": "lrud"
}  # fmt: skip
_SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}


def retouched(svg: str) -> str:
    """The same picture without web fonts, with shapes for everything that has to line up."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    svg = svg.replace("font-family: Fira Code, monospace;", f"font-family: {_FONT};").replace(
        "font-family: arial;", f"font-family: {_FONT};"
    )
    svg = re.sub(r"(-matrix \{.*?)font-size: 20px;", rf"\g<1>font-size: {_FONT_SIZE}px;", svg, count=1, flags=re.S)
    return _TEXT.sub(_redraw, svg)


def _redraw(found: re.Match[str]) -> str:
    style, x, y, clip, content = found.groups()
    left, baseline = float(x), float(y)
    text = html.unescape(content).replace("\xa0", " ")
    drawn: list[str] = []
    shapes: dict[float, list[str]] = {}
    for run in re.finditer(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?|[^\x00-\x7f]", text):
        word, at = run[0], left + run.start() * CELL_WIDTH
        outline = "" if word.isascii() else _outline(word, at, baseline - _BASELINE)
        if outline:
            shapes.setdefault(_SHADES.get(word, 1), []).append(outline)
        else:
            words = html.escape(word, quote=False).replace(" ", "&#160;")
            length = f' textLength="{len(word) * CELL_WIDTH:.1f}"' if word.isascii() else ""
            drawn.append(f'<text class="{style}" x="{at:.1f}" y="{y}"{length} {clip}>{words}</text>')
    for opacity, outlines in shapes.items():
        shade = "" if opacity == 1 else f' fill-opacity="{opacity}"'
        drawn.append(f'<path class="{style}"{shade} d="{"".join(outlines)}"/>')
    return "".join(drawn)


def _outline(character: str, x: float, y: float) -> str:
    """SVG path of a character that fills its cell; empty for the others."""
    w, h = CELL_WIDTH, CELL_HEIGHT
    code = ord(character)
    if character in _SHADES:
        return _box(x, y, w, h)
    if 0x2581 <= code <= 0x2588:  # lower eighths, to the full cell
        part = h * (code - 0x2580) / 8
        return _box(x, y + h - part, w + _SEAM, part + _SEAM)
    if 0x2589 <= code <= 0x258F:  # left eighths
        return _box(x, y, w * (0x2590 - code) / 8, h + _SEAM)
    if character in "▀▔▐▕":
        high, narrow = {"▀": h / 2, "▔": h / 8}.get(character), {"▐": w / 2, "▕": w / 8}.get(character)
        return _box(x, y, w, high) if high else _box(x + w - (narrow or 0), y, narrow or 0, h)
    if character in "┄┈╌":
        return "".join(_box(x + w * (i / 3 + 0.05), y + (h - _LINE) / 2, w / 5, _LINE) for i in range(3))
    if 0x2800 <= code <= 0x28FF:
        return _braille(code - 0x2800, x, y)
    return "".join(_arm(side, x, y) for side in _ARMS.get(character, ""))


def _arm(side: str, x: float, y: float) -> str:
    """A line from the middle of the cell to one side."""
    w, h, half = CELL_WIDTH, CELL_HEIGHT, _LINE / 2
    if side in "lr":
        return _box(x if side == "l" else x + w / 2 - half, y + h / 2 - half, w / 2 + half, _LINE)
    return _box(x + w / 2 - half, y if side == "u" else y + h / 2 - half, _LINE, h / 2 + half)


def _braille(dots: int, x: float, y: float) -> str:
    # Unicode numbers the first three rows of each column, then the last row
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]
    half = _DOT / 2
    return "".join(
        _box(x + CELL_WIDTH * (0.25 + 0.5 * column) - half, y + CELL_HEIGHT * (0.125 + 0.25 * row) - half, _DOT, _DOT)
        for bit, (column, row) in enumerate(places)
        if dots >> bit & 1
    )


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.1f} {y:.1f}h{width:.1f}v{height:.1f}h-{width:.1f}z"
