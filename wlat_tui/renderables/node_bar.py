"""Free memory against its watermarks, on one scale."""

from __future__ import annotations

from wlat_tui.renderables.glyphs import Glyphs
from wlat_tui.renderables.line import Line, Role, Span, merged

STATE_WORDS = {
    "above high": "above high",
    "between": "low..high",
    "below low": "BELOW LOW",
    "below min": "BELOW MIN",
    "unknown": "unknown",
}
STATE_ROLES: dict[str, Role] = {
    "above high": "good",
    "between": "notice",
    "below low": "warn",
    "below min": "bad",
    "unknown": "dim",
}


def node_bar(
    width: int, free: int | None, marks: tuple[int | None, int | None, int | None], state: str, glyphs: Glyphs
) -> Line:
    """A bar of *width* cells from 0 to twice the high watermark, with the letters m, l and h where min, low and high lie.

    Free memory beyond the scale ends in ``»``. Without watermarks or free memory there is no bar but a reason.
    """
    minimum, low, high = marks
    if free is None or minimum is None or low is None or high is None or high <= 0:
        text = "free memory n/a" if free is None else "watermarks n/a"
        return ((f"{text:<{width}}"[:width], "dim"),)
    scale = 2 * high
    filled = min(width, round(free / scale * width))
    if free > 0:
        filled = max(1, filled)
    # not the reversed role of the word: a reversed full block is an empty one
    role: Role = "worst" if state == "below min" else STATE_ROLES.get(state, "dim")
    letters: dict[int, str] = {}
    for value, letter in ((high, "h"), (low, "l"), (minimum, "m")):
        place = min(width - 1, int(value / scale * width))
        while place in letters and place > 0:  # on a narrow bar they would hide each other
            place -= 1
        letters[place] = letter
    spans: list[Span] = []
    for x in range(width):
        if x in letters:
            spans.append((letters[x], "scale"))
        elif x < filled:
            spans.append((glyphs.beyond if x == width - 1 and free > scale else glyphs.full, role))
        else:
            spans.append((glyphs.empty, "dim"))
    return merged(spans)


def trend_glyph(trend: int | None, glyphs: Glyphs) -> str:
    """An arrow for -1, 0, 1; ``?`` while it is not known."""
    return "?" if trend is None else {-1: glyphs.down, 0: glyphs.steady, 1: glyphs.up}[trend]
