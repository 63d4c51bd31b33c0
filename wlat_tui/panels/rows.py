"""A panel whose body is a list with a cursor, scrolled so that the cursor is seen."""

from __future__ import annotations

from textual import events
from textual.binding import Binding

from wlat_tui.panels.panel import Panel
from wlat_tui.renderables.line import Line, Role, fit, merged, plain, split


class RowsPanel(Panel):
    """Up and Down move the cursor, Enter (or a click) activates the row."""

    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "move(-10)", "Page up", show=False),
        Binding("pagedown", "move(10)", "Page down", show=False),
        Binding("home,g", "move(-100000)", "First row", show=False),
        Binding("end,G", "move(100000)", "Last row", show=False),
        Binding("left", "move_item(-1)", "Left", show=False),
        Binding("right", "move_item(1)", "Right", show=False),
        Binding("enter", "activate", "Open row", show=False),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.cursor = 0
        """The item the cursor is on; a row shows ``columns`` of them."""
        self.columns = 1
        self._top = 0
        self._header_rows = 0

    def rows(self, width: int) -> list[Line]:
        """Every row, whether it fits or not."""
        raise NotImplementedError

    def activate(self, item: int) -> None:
        """Enter was pressed on this item."""
        raise NotImplementedError

    def item_count(self, rows: list[Line]) -> int:
        """How many items the rows show."""
        return len(rows)

    def item_cells(self, width: int) -> int:
        """How far apart the items of one row begin."""
        return width

    def cursor_cells(self, width: int) -> int:
        """How many cells of its row the cursor covers."""
        return width

    def header(self, width: int, height: int) -> list[Line]:
        """Lines that stay above the rows, when *height* has room for them."""
        return []

    def footer(self, width: int, height: int) -> list[Line]:
        """Lines that stay at the bottom, when *height* has room for them."""
        return []

    def body(self, width: int, height: int) -> list[Line]:
        rows = self.rows(width)
        header, footer = self.header(width, height), self.footer(width, height)
        self._header_rows = len(header)
        room = max(1, height - len(header) - len(footer))
        count = self.item_count(rows)
        self.cursor = max(0, min(self.cursor, count - 1))
        cursor_row = self.cursor // self.columns
        self._top = max(0, min(self._top, cursor_row, len(rows) - room))
        if cursor_row >= self._top + room:
            self._top = cursor_row - room + 1
        shown = rows[self._top : self._top + room]
        if self.has_focus and shown:
            at = cursor_row - self._top
            row = fit(shown[at], width, self.glyphs.ellipsis)
            before, rest = split(row, self.cursor % self.columns * self.item_cells(width))
            head, tail = split(rest, self.cursor_cells(width))
            shown[at] = (*before, (plain(head), "cursor"), *tail)
        hidden = len(rows) - room
        if hidden > 0 and shown:
            below = max(0, count - (self._top + len(shown)) * self.columns)
            above = self._top * self.columns
            note = f" {self.glyphs.down}{below} more" if below else f" {self.glyphs.up}{above} above"
            whole_row = self.columns == 1 and self.has_focus and cursor_row == self._top + len(shown) - 1
            role: Role = "cursor" if whole_row else "label"
            shown[-1] = merged([*fit(shown[-1], width - len(note), self.glyphs.ellipsis), (note, role)])
        return [*header, *shown, *([()] * (room - len(shown))), *footer]

    async def on_key(self, event: events.Key) -> None:
        # Textual runs bindings for whatever has focus once the key has bubbled up; later keys of a burst may have moved it on
        action = next((b.action for b in RowsPanel.BINDINGS if isinstance(b, Binding) and event.key in b.key.split(",")), None)
        if action is not None:
            event.stop()
            event.prevent_default()
            await self.app.run_action(action, default_namespace=self)

    def action_move(self, step: int) -> None:
        self.cursor = max(0, self.cursor + step * self.columns)
        self.redraw()

    def action_move_item(self, step: int) -> None:
        if self.columns > 1:
            self.cursor = max(0, self.cursor + step)
            self.redraw()

    def action_activate(self) -> None:
        self.activate(self.cursor)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        if (row := event.y - 1 - self._header_rows) >= 0:
            column = min(self.columns - 1, event.x // self.item_cells(self.outer_size.width))
            self.cursor = (self._top + row) * self.columns + column
            self.action_activate()
