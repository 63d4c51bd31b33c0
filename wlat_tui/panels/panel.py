"""What all panels share: lines of spans, drawn as strips, of which only changed rows are given to the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from wlat_tui.model.session import Session
from wlat_tui.renderables.glyphs import UNICODE, Glyphs
from wlat_tui.renderables.line import Line, Role, fit, merged, width_of
from wlat_tui.theme import role_styles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.filter import LineFilter


HALF_AS_OFTEN_NS = 350_000_000
"""For `Panel.rest_ns`: every second picture at the default pace."""


class Panel(Widget, can_focus=True):
    """One panel of the live screen.

    A subclass says what it is (``title``, ``key``, ``help``), keeps in `take` what it needs from the session, and returns its
    body in `body`. Taking and drawing are separate so that a paused view can be drawn again at another size.
    """

    title: ClassVar[str]
    key: ClassVar[str]
    help: ClassVar[str]

    rest_ns: ClassVar[int] = 0
    """Least time from one picture to the next while frames come; what the user does shows at once."""

    glyphs: Glyphs = UNICODE
    low_bandwidth = False
    behind = ""
    """Key and title of the panel that takes turns with this one in its place; empty: none does."""

    class Activated(Message):
        """The user pressed Enter on (or clicked) a row of this panel."""

        def __init__(self, panel: Panel) -> None:
            super().__init__()
            self.panel = panel

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._bodies: list[Line] = []
        """What was drawn last, as the panel gave it."""
        self._lines: list[Line] = []
        """The same, each as wide as the panel."""
        self._cells = 0
        """Width of each of them."""
        self._strips: dict[int, Strip] = {}
        """Those that were rendered, by row."""
        self._filters: Sequence[LineFilter] = ()
        self._styles: dict[Role, Style] = {}
        """What each role looks like on this panel's background; empty: not known yet, or not any more."""
        self.ready = False
        self._shown: tuple[Session, int] | None = None
        """Which session, as of when."""

    def show(self, session: Session) -> None:
        """Take the session's present state and draw it."""
        self._shown = session, session.now_ns
        self.take(session)
        self.ready = True
        self.redraw()

    def follow(self, session: Session) -> None:
        """The same, unless the last picture is too new for another one."""
        if self._shown is None or self._shown[0] is not session or session.now_ns - self._shown[1] >= self.rest_ns:
            self.show(session)

    def take(self, session: Session) -> None:
        """Keep what `body` needs."""
        raise NotImplementedError

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The lines below the heading, at most *height*."""
        raise NotImplementedError

    def remark(self) -> Line:
        """What stands at the right end of the heading."""
        return ()

    def redraw(self) -> None:
        """Draw again and refresh the rows that differ."""
        width, height = self.outer_size  # `size` is the same without a border, and takes a walk over the layout
        if not width or not height or not self.ready:
            return
        bodies = [self._heading(width), *self.body(width, height - 1)][:height]
        bodies += [()] * (height - len(bodies))
        if len(bodies) != len(self._bodies) or width != self._cells:
            self._bodies, self._cells, self._strips = bodies, width, {}
            self._lines = [fit(line, width, self.glyphs.ellipsis) for line in bodies]
            self.refresh()
            return
        rows = [y for y, (old, new) in enumerate(zip(self._bodies, bodies, strict=True)) if old != new]
        self._bodies = bodies
        for y in rows:
            self._lines[y] = fit(bodies[y], width, self.glyphs.ellipsis)
            self._strips.pop(y, None)
        if rows:
            self.refresh(*[Region(0, y, width, 1) for y in rows])

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows asked for: those that were not drawn again since the last time are kept.

        Textual keeps them as well, but looks at borders, padding and the like of each row first, which no panel has.
        """
        filters = self.get_line_filters()
        if filters != self._filters:
            self._filters, self._styles, self._strips = filters, {}, {}
        strips = [self._strips.get(y) or self._render_kept(y) for y in crop.line_range]
        if crop.column_span != (0, self.outer_size.width):
            return [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def _render_kept(self, y: int) -> Strip:
        self._strips[y] = strip = self.render_line(y)
        return strip

    def _filtered(self, style: Style) -> Style:
        """As Textual's filters would have it: what they do to a segment depends on its style alone."""
        segments = [Segment("x", style)]
        for each in self._filters:
            segments = each.apply(segments, self.background_colors[1])
        return segments[0].style or style

    def render_line(self, y: int) -> Strip:
        if not self._styles:
            base = self.rich_style
            styles = {role: base + style for role, style in role_styles(self.app).items()} | {"": base}
            self._styles = {role: self._filtered(style) for role, style in styles.items()}
        if y >= len(self._lines):
            return Strip.blank(self.outer_size.width, self._styles[""])
        base = self._styles[""]
        return Strip([Segment(text, self._styles.get(role, base)) for text, role in self._lines[y]], self._cells)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles, self._strips = {}, {}

    def on_resize(self, _event: events.Resize) -> None:
        self._bodies, self._lines, self._strips = [], [], {}
        self.redraw()

    def on_focus(self) -> None:
        self.call_later(self.redraw)  # only after this event has_focus has its new value

    def on_blur(self) -> None:
        self.call_later(self.redraw)

    def _heading(self, width: int) -> Line:
        rule = self.glyphs.rule
        role: Role = "focus" if self.has_focus else "heading"
        behind: Line = ((f" {self.glyphs.axis} {self.behind}", "label"),) if self.behind else ()
        left: Line = ((f"{rule} ", "dim"), (f"{self.key} {self.title}", role), *behind, (" ", "dim"))
        right = self.remark()
        room = width - width_of(left) - width_of(right) - 2
        if room < 1:
            return fit(merged([*left, *right]), width, self.glyphs.ellipsis)
        tail: Line = ((" ", ""), *right, (f" {rule}", "dim")) if right else ((rule * 2, "dim"),)
        return merged([*left, (rule * (width - width_of(left) - width_of(tail)), "dim"), *tail])
