"""The key for looking closer at stalls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App
from textual.binding import Binding

from wlat_tui.mitigations.deep_trace import DeepTrace

if TYPE_CHECKING:
    from wlat_tui.mitigations import Mitigation


class TracingKeys(App[int]):
    """Part of `wlat_tui.app.WlatApp`."""

    KEYS = [
        Binding("x", "deep_trace", "Deep trace", tooltip="Look closer at the next stalls: deep events, a list of functions"),
    ]

    def open_mitigation(self, mitigation: Mitigation, suggested: str | None = None) -> None:
        raise NotImplementedError

    def action_deep_trace(self) -> None:
        self.open_mitigation(DeepTrace())
