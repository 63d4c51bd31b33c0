"""Keys for stalls, their causes and those who are suspected of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App
from textual.binding import Binding

from wlat_tui.screens.cause_filter import CauseFilter
from wlat_tui.screens.stall import StallScreen
from wlat_tui.screens.suspects import SuspectsScreen
from wlat_tui.units import format_ns

if TYPE_CHECKING:
    from wlat_tui.causes import Advice
    from wlat_tui.mitigations import Mitigation
    from wlat_tui.model.session import Session
    from wlat_tui.panels.mitigations import MitigationsPanel
    from wlat_tui.panels.stalls import StallsPanel
    from wlat_tui.renderables.glyphs import Glyphs


class StallKeys(App[int]):
    """Part of `wlat_tui.app.WlatApp`."""

    KEYS = [
        Binding(
            "n",
            "next_stall(1)",
            "Next stall",
            tooltip="Go to the next stall of the list (N: the one before); in a recording, in time",
        ),
        Binding("N", "next_stall(-1)", "Previous stall", tooltip="Go to the previous stall of the list"),
        Binding("slash", "filter_stalls", "One cause", tooltip="What each cause cost; list the stalls of one cause only"),
        Binding("o", "sort_stalls", "Sort stalls", tooltip="List the newest stalls first, the slowest first, or by cause"),
        Binding("w", "suspects", "Who", tooltip="Who disturbs the write path, and what cannot be seen here"),
    ]

    session: Session
    stalls: StallsPanel
    mitigations: MitigationsPanel
    _glyphs: Glyphs
    _causes_told: set[str]
    _drawn_once: bool

    def action_panel(self, name: str) -> None:
        raise NotImplementedError

    def open_mitigation(self, mitigation: Mitigation, suggested: str | None = None) -> None:
        raise NotImplementedError

    def go_to_stall(self, step: int) -> bool:
        """Move in time instead of in the list; False where one cannot (`wlat_tui.keys.transport`)."""
        raise NotImplementedError

    def action_next_stall(self, step: int) -> None:
        if self.go_to_stall(step):
            return
        self.action_panel("stalls")
        self.stalls.action_move(step)

    def action_filter_stalls(self) -> None:
        self.action_panel("stalls")
        self.push_screen(CauseFilter(self.session.top_causes, self.stalls.only), self._show_only)

    def _show_only(self, choice: tuple[str | None] | None) -> None:
        if choice is not None:
            self.stalls.show_only(choice[0])

    def action_sort_stalls(self) -> None:
        self.action_panel("stalls")
        self.stalls.next_order()

    def action_suspects(self) -> None:
        self.push_screen(SuspectsScreen(self.session, self._glyphs, self.open_mitigation))

    def on_stalls_panel_opened(self, message: StallsPanel.Opened) -> None:
        self.push_screen(StallScreen(message.stall, self.stalls.listed, self.session, self._glyphs, self._open_switch))

    def _open_switch(self, advice: Advice) -> None:
        if advice.mitigation is not None and (mitigation := self.mitigations.named(advice.mitigation)) is not None:
            self.open_mitigation(mitigation, advice.value)

    def _tell_new_causes(self) -> None:
        """Say once that stalls of a kind not seen before happen. What was there when the screen opened is no news."""
        new = [top for top in self.session.top_causes if top.cause.name not in self._causes_told]
        self._causes_told.update(top.cause.name for top in new)
        told = [f"{top.cause.title} ({format_ns(top.worst_ns)})" for top in new if top.cause.explains]
        if told and self._drawn_once:
            more = "" if len(told) == 1 else "s"
            self.notify(f"New kind{more} of stall: {', '.join(told)}", timeout=5, markup=False)
