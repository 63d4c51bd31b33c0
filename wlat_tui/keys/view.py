"""Keys that change what is drawn and how, not what is measured (the stall threshold is the one exception)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from textual.app import App
from textual.binding import Binding

from wlat_tui.frame import Span
from wlat_tui.sources import ChangeSettings, Request
from wlat_tui.units import format_ns

if TYPE_CHECKING:
    from wlat_tui.link import LinkView
    from wlat_tui.model.session import Session
    from wlat_tui.panels.history import HistoryPanel
    from wlat_tui.panels.latency import LatencyPanel
    from wlat_tui.panels.panel import Panel
    from wlat_tui.panels.status import StatusPanel

THEMES = ("textual-dark", "nord", "gruvbox", "monokai", "solarized-light", "textual-light", "ansi-dark")
THRESHOLDS_NS = tuple(digit * 10**e for e in range(4, 9) for digit in (1, 2, 5))
"""10 us to 500 ms."""
_SPAN_WORDS = {
    Span.RESPONSE: "response, from when a write was planned to when it returned",
    Span.SERVICE: "service, what write() itself took",
}


class ViewKeys(App[int]):
    """Part of `wlat_tui.app.WlatApp`."""

    KEYS = [
        Binding("4,c", "chart", "Chart", tooltip="Show or hide the chart of latency and headroom over time"),
        Binding("v", "next_span", "Response/service", tooltip="Draw response (with late waking and queueing) or service time"),
        Binding("plus,equals_sign", "zoom(-1)", "Zoom in", tooltip="Chart: less time, more detail"),
        Binding("minus", "zoom(1)", "Zoom out", tooltip="Chart: more time, 10 s to 24 h"),
        Binding(
            "left_square_bracket", "threshold(-1)", "Threshold down", tooltip="Lower the threshold that makes a write a stall"
        ),
        Binding("right_square_bracket", "threshold(1)", "Threshold up", tooltip="Raise that threshold"),
        Binding("b", "low_bandwidth", "Low bandwidth", tooltip="Switch the low-bandwidth view on or off (under 2 KB/s)"),
        Binding("t", "next_theme", "Theme", tooltip="Next colour theme"),
    ]

    session: Session
    paused: bool
    latency: LatencyPanel
    history: HistoryPanel
    status: StatusPanel
    _link: LinkView
    _show_chart: bool | None

    def _arrange(self) -> None:
        raise NotImplementedError

    def _ask(self, request: Request) -> None:
        raise NotImplementedError

    def _apply_bandwidth(self) -> None:
        raise NotImplementedError

    def action_chart(self) -> None:
        if self._link.low_bandwidth:
            self.notify("The chart is not drawn in the low-bandwidth view (b switches it off)", markup=False)
            return
        self._show_chart = False if self.history.display and self.latency.display else None if self.history.display else True
        self._arrange()
        self._catch_up(self.history)
        self._catch_up(self.latency)
        if self.history.display:
            self.history.focus()

    def _catch_up(self, panel: Panel) -> None:
        """A panel that comes into view shows what the others show already."""
        if panel.display and not self.paused:
            panel.show(self.session)

    def action_zoom(self, step: int) -> None:
        self.history.zoom(step)

    def action_next_span(self) -> None:
        span = Span.SERVICE if self.latency.span is Span.RESPONSE else Span.RESPONSE
        self.latency.span = self.status.span = span
        self.history.show_span(span)
        self.latency.recut()
        self.status.redraw()
        self.notify(f"Drawn now: {_SPAN_WORDS[span]}", timeout=4, markup=False)

    def action_threshold(self, step: int) -> None:
        now_ns = self.session.settings.threshold_ns
        steps = [ns for ns in THRESHOLDS_NS if (ns > now_ns if step > 0 else ns < now_ns)]
        if steps:
            wanted = replace(self.session.settings, threshold_ns=min(steps) if step > 0 else max(steps))
            self._ask(ChangeSettings(wanted, "threshold", f"threshold {format_ns(wanted.threshold_ns)}"))

    def action_low_bandwidth(self) -> None:
        self._link.choose(not self._link.low_bandwidth)
        self._apply_bandwidth()

    def action_next_theme(self) -> None:
        if self.no_color:
            self.notify("NO_COLOR is set: no colours are used", markup=False)
            return
        at = THEMES.index(self.theme) if self.theme in THEMES else -1
        self.theme = THEMES[(at + 1) % len(THEMES)]
        self.notify(self.theme, timeout=2, markup=False)
