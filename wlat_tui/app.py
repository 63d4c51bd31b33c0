"""The live screen: composes panels, owns the source, routes messages. No logic of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from platformdirs import user_state_path
from textual import events
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding
from textual.containers import Container
from textual.geometry import Size
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Static

from wlat_tui.cast import Cast
from wlat_tui.driver import TerminalDriver, TerminalGone
from wlat_tui.followers import Follower, first_reason
from wlat_tui.frame import Frame
from wlat_tui.keys.order import OrderedKeys
from wlat_tui.keys.record import Keeping, RecordKeys
from wlat_tui.keys.stalls import StallKeys
from wlat_tui.keys.tracing import TracingKeys
from wlat_tui.keys.transport import TransportKeys
from wlat_tui.keys.view import THEMES, ViewKeys
from wlat_tui.link import LinkView
from wlat_tui.mitigations import Mitigation, catalogue
from wlat_tui.model.session import Session
from wlat_tui.panels.history import HistoryPanel
from wlat_tui.panels.keys import KeysPanel
from wlat_tui.panels.latency import LatencyPanel
from wlat_tui.panels.mitigations import MitigationsPanel
from wlat_tui.panels.nodes import NodesPanel
from wlat_tui.panels.panel import Panel
from wlat_tui.panels.rows import RowsPanel
from wlat_tui.panels.stalls import StallsPanel
from wlat_tui.panels.status import StatusPanel
from wlat_tui.panels.transport import TransportPanel
from wlat_tui.pictures import save_new
from wlat_tui.renderables.glyphs import ASCII, choose
from wlat_tui.screens.details import DetailsScreen
from wlat_tui.screens.dialogs import MitigationDialog
from wlat_tui.screens.help import HelpScreen
from wlat_tui.screens.layout import LEAST, Lower, arrange
from wlat_tui.screens.lines import LinesScreen
from wlat_tui.sources import ReadZones, Request, Source

_EARLY = 0.1
"""Of the time between two pictures: a frame that comes this much before the next one is due is drawn."""
_OVERDUE_S = 1.0
"""How often it is looked whether something is to be drawn although no frame comes."""
_LOW_BANDWIDTH_HZ = 1.0
_CLOSE_S = 10.0
_SETTLE_S = 0.5


class WlatApp(ViewKeys, TransportKeys, RecordKeys, StallKeys, TracingKeys, OrderedKeys, App[int]):
    """One screen over one source of frames."""

    CSS_PATH = "wlat.tcss"
    TITLE = "wlat"
    BINDINGS = [
        Binding("q,ctrl+c", "leave", "Quit", tooltip="Quit; everything that was changed is put back", priority=False),
        Binding("question_mark,f1,h", "help", "Help", tooltip="Show this help"),
        Binding("p,space", "pause", "Pause", tooltip="Pause or resume the view; measuring goes on"),
        # priority: focus has moved before the next key of the same burst arrives (a slow link, a quick hand)
        Binding("tab", "next_panel(1)", "Next panel", tooltip="Go to the next panel (Shift+Tab: previous)", priority=True),
        Binding("shift+tab", "next_panel(-1)", "Previous panel", tooltip="Go to the previous panel", priority=True),
        Binding("1", "panel('latency')", "Latency", tooltip="Go to the live latency", priority=True),
        Binding("2", "panel('nodes')", "Nodes", tooltip="Go to the nodes; Enter opens one", priority=True),
        Binding("3", "panel('mitigations')", "Mitigations", tooltip="Go to the mitigations; Enter opens one", priority=True),
        Binding("5", "panel('stalls')", "Stalls", tooltip="Go to the stalls; Enter opens one", priority=True),
        Binding("d", "details", "Details", tooltip="Everything that is read: zones, reclaim counters, pressure, the writer"),
        Binding("z", "read_zones", "Read zones", tooltip="Read /proc/zoneinfo now (it prints under zone->lock)"),
        Binding("ctrl+p", "command_palette", "Palette", tooltip="Everything by name"),
        Binding("s", "save_picture", "Screenshot", tooltip="Save the screen as SVG; never overwrites a file"),
        *ViewKeys.KEYS,
        *StallKeys.KEYS,
        *TracingKeys.KEYS,
        *TransportKeys.KEYS,
        *RecordKeys.KEYS,
    ]

    def __init__(
        self,
        source: Source,
        *,
        low_bandwidth: bool | None = None,
        ascii: bool | None = None,
        theme: str | None = None,
        refresh_hz: float = 4.0,
        picture_dir: Path | None = None,
        mitigations: Sequence[Mitigation] | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        # Textual's filter for NO_COLOR removes colours only when it believes in native ANSI; otherwise it sends greys
        without_colour = "NO_COLOR" in os.environ
        super().__init__(driver_class=TerminalDriver, ansi_color=True if without_colour else None)
        self.animation_level = "none"
        self.theme = "ansi-dark" if without_colour else theme or THEMES[0]
        self.source = source
        self.followers: tuple[Follower, ...] = ()
        self.ended_by: str | None = None
        """Why a follower ended it; None: the user did."""
        self.session = self.now = Session()
        self.paused = False
        self.cast: Cast | None = None
        """Records the screen itself, from its first row on; set before it runs."""
        self._link = LinkView(low_bandwidth)
        self._refresh_hz = refresh_hz
        self._glyphs = choose(ascii)
        self._picture_dir = picture_dir or user_state_path("wlat") / "screenshots"
        self._show_chart: bool | None = None
        self._lower: Lower = "stalls"
        self._leaving = False
        self._cells = Size(0, 0)
        self._fresh = False
        self._due_s = 0.0
        self._causes_told: set[str] = set()
        self._drawn_once = False
        self._sent_before = (0, 0)
        self._frames: AsyncIterator[Frame] | None = None
        self.status = StatusPanel(source.description, id="status")
        self.latency = LatencyPanel(id="latency")
        self.history = HistoryPanel(id="history")
        self.nodes = NodesPanel(id="nodes")
        self.stalls = StallsPanel(id="stalls")
        self.mitigations = MitigationsPanel(
            catalogue() if mitigations is None else mitigations, source.read_only, id="mitigations"
        )
        self.keys = KeysPanel(id="keys")
        self.transport = TransportPanel(id="transport")
        self.panels: tuple[Panel, ...] = (
            *(self.status, self.latency, self.history, self.nodes),
            *(self.stalls, self.mitigations, self.transport, self.keys),
        )
        self.begin_transport()
        self.begin_keeping(keeping)

    @property
    def terminal(self) -> TerminalDriver | None:
        """The terminal, None when there is none (tests)."""
        return self._driver if isinstance(self._driver, TerminalDriver) else None

    def compose(self) -> ComposeResult:
        for panel in self.panels:
            panel.glyphs = self._glyphs
            panel.low_bandwidth = self._link.low_bandwidth
        yield self.status
        yield self.latency
        yield self.history
        with Container(id="lower"):
            with Container(id="observed"):
                yield self.nodes
                yield self.stalls
            yield self.mitigations
        yield self.transport
        yield self.keys
        yield Static("", id="small")

    def on_mount(self) -> None:
        self.screen.set_class(self._glyphs is ASCII, "ascii")
        if self.terminal is not None:
            self.terminal.ascii_only = self._glyphs is ASCII
            self.terminal.cast = self.cast
            if self.cast is not None:
                self.cast.begin(*self.size)
        self._cells = self.size
        self.call_after_refresh(self._arrange)  # when the screen is mounted; a terminal need not report its size again
        self.stalls.focus()
        self.set_interval(_OVERDUE_S, self._draw_overdue)
        self.start_transport()
        self._say_mode()
        self.run_worker(self._consume(), name="frames")

    @property
    def _hz(self) -> float:
        return min(self._refresh_hz, _LOW_BANDWIDTH_HZ) if self._link.low_bandwidth else self._refresh_hz

    async def _consume(self) -> None:
        """Fold every frame; draw with it when that is due.

        Waking once for both takes less CPU than a clock of its own for drawing: each time, the caches are cold.
        """
        async for frame in self.source.frames():
            self.now.fold(self.kept(frame))
            self._fresh = True
            if not self._drawn_once or time.monotonic() >= self._due_s - _EARLY / self._hz:
                self.draw(follow=True)
            if (reason := first_reason(self.followers, self.now)) is not None and not self._leaving:
                self.ended_by = reason
                self.leave(0)

    def _draw_overdue(self) -> None:
        """Where no frame comes in time: an engine that is silent, a terminal that had not taken the last one."""
        if time.monotonic() >= self._due_s + 1 / self._hz:
            self.draw(follow=True)

    def draw(self, *, follow: bool = False) -> None:
        """Show the newest state, unless the view is paused or the terminal still has to take the last one.

        ``follow``: in the course of events, where some panels need not be drawn each time.
        """
        terminal = self.terminal
        if terminal is not None and (news := self._link.judge(time.monotonic(), slow=terminal.slow, late=terminal.late)):
            self.notify(news, markup=False)
            self._apply_bandwidth()
        if terminal is not None and (terminal.busy or not self._link.affords(time.monotonic(), terminal.sent_bytes)):
            return
        if not self._fresh or self._leaving:
            return
        top = self.screen_stack[-1] if self.screen_stack else None  # there is none while the app ends
        if isinstance(top, (MitigationDialog, LinesScreen)):
            top.follow()  # also in a paused view: what it says decides what is changed
        if self.paused:
            return
        self._fresh = False
        # by the plan, not by the clock: frames of another pace still give this many pictures a second
        self._due_s = max(self._due_s, time.monotonic() - 1 / self._hz) + 1 / self._hz
        self._tell_new_causes()
        self._count_sent(terminal)
        rows = self.nodes.row_count()
        self.tell_place()
        if self.recorder is not None:
            self._say_mode()
        for panel in self.panels:
            if panel.display or panel is self.nodes:
                if follow:
                    panel.follow(self.session)
                else:
                    panel.show(self.session)
        if not self._drawn_once or rows != self.nodes.row_count():
            self._drawn_once = True
            self._arrange()

    def _count_sent(self, terminal: TerminalDriver | None) -> None:
        now_ns, (then_ns, before) = time.monotonic_ns(), self._sent_before
        if terminal is None or now_ns - then_ns < 2_000_000_000:
            return
        self._sent_before = now_ns, terminal.sent_bytes
        if then_ns:
            self.status.sent_per_s = (terminal.sent_bytes - before) * 1e9 / (now_ns - then_ns)

    def set_timer(self, *args: Any, **kwargs: Any) -> Timer:
        """A timer that fires also when this process was held up just as it started.

        Textual's own skips its one time then (`Timer._run`), and it waits for such a one, for ever, before it takes a new size.
        """
        timer = super().set_timer(*args, **kwargs)
        timer._skip = False
        return timer

    def on_resize(self, event: events.Resize) -> None:
        if self.terminal is not None:
            self.terminal.resized(event.size.width, event.size.height)
        self._cells = event.size  # App.size still is the old one here
        self._arrange()

    def on_panel_activated(self, message: Panel.Activated) -> None:
        if message.panel is self.nodes:
            self._arrange()

    def _arrange(self) -> None:
        width, height = self._cells
        if not self.screen_stack or not self.screen_stack[0].is_mounted:
            return
        base = self.screen_stack[0]
        plan = arrange(
            width,
            height - self.transport.rows,
            self.nodes.row_count(),
            self.mitigations.row_count,
            False if self._link.low_bandwidth else self._show_chart,
            self.nodes.opened,
            self._lower,
        )
        base.set_class(plan is None, "tiny")
        for widget in (self.status, self.keys, base.query_one("#lower")):
            widget.display = plan is not None
        self.transport.display = plan is not None and self.transport.rows > 0
        if plan is None:
            self.latency.display = self.history.display = False
            base.query_one("#small", Static).update(
                f"This terminal has {width}x{height} cells; wlat needs {LEAST[0]}x{LEAST[1]}."
            )
            return
        base.query_one("#lower").set_class(plan.side_by_side, "beside")
        for panel, rows in (
            (self.latency, plan.latency),
            (self.history, plan.history),
            (self.nodes, plan.nodes),
            (self.stalls, plan.stalls),
            (self.mitigations, plan.mitigations),
        ):
            panel.display = rows > 0
            panel.styles.height = rows
        for panel, other in ((self.stalls, self.mitigations), (self.mitigations, self.stalls)):
            panel.behind = f"{other.key} {other.title}" if plan.shared else ""
            if panel.display and not panel.ready and self._drawn_once:
                panel.show(self.session)
        if self.history.display and not self.history.ready and self._drawn_once:
            self.history.show(self.session)

    # keys

    def action_help(self) -> None:
        panels = (LatencyPanel, HistoryPanel, NodesPanel, StallsPanel, MitigationsPanel, TransportPanel)
        self.push_screen(
            HelpScreen([("Keys", self.BINDINGS), ("In a list (nodes, stalls, mitigations)", RowsPanel.BINDINGS)], panels)
        )

    def action_details(self) -> None:
        self.push_screen(DetailsScreen(self.session, self._glyphs))

    def action_pause(self) -> None:
        if self.player is not None:
            self.play_or_pause()
            return
        self.paused = not self.paused
        self._fresh = True
        self._say_mode()
        self.draw()

    def action_panel(self, name: str) -> None:
        panel = next(p for p in self.panels if p.id == name)
        if not panel.display:
            if panel is self.latency:
                self._show_chart = None
            else:
                self._lower = "stalls" if panel is self.stalls else "mitigations"
            self._arrange()
            self._catch_up(panel)
        self.screen.set_focus(panel)

    def action_next_panel(self, step: int) -> None:
        if step > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # keys of priority come here before a dialog sees them: there, digits and Tab are its own
        if action in ("panel", "next_panel") and len(self.screen_stack) > 1:
            return False
        return super().check_action(action, parameters)

    def action_read_zones(self) -> None:
        self._ask(ReadZones())

    def action_save_picture(self) -> None:
        stem = f"wlat-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
        try:
            path = save_new(self._picture_dir, stem, self.export_screenshot(title="wlat"))
        except OSError as error:
            self.notify(f"The screenshot could not be saved: {error}", severity="error", markup=False)
            return
        self.notify(f"Saved {path}", markup=False)

    def on_mitigations_panel_chosen(self, message: MitigationsPanel.Chosen) -> None:
        self.open_mitigation(message.mitigation)

    def open_mitigation(self, mitigation: Mitigation, suggested: str | None = None) -> None:
        """Its dialog, with the suggested value chosen (not applied)."""
        dialog = MitigationDialog(mitigation, self.session, self.refused, suggested)
        self.push_screen(dialog, lambda request: self._ask(request) if request is not None else None)

    def _ask(self, request: Request) -> None:
        if self.player not in (None, self.source):
            self.notify(self.refused or "", severity="warning", timeout=4, markup=False)
            return
        self.run_worker(self._carry_out(request), group="requests")

    async def _carry_out(self, request: Request) -> None:
        outcome = await self.source.apply(request)
        if outcome.message or not outcome.ok:
            self.notify(
                outcome.message,
                severity="information" if outcome.ok else "error",
                timeout=4 if outcome.ok else 10,
                markup=False,
            )

    def _apply_bandwidth(self) -> None:
        for panel in self.panels:
            panel.low_bandwidth = self._link.low_bandwidth
        self._arrange()
        self._say_mode()

    def _say_mode(self) -> None:
        modes = {
            self.when: bool(self.when),
            self.recording_state: bool(self.recording_state),
            "PAUSED": self.paused,
            "low-bandwidth": self._link.low_bandwidth,
            "putting everything back": self._leaving,
        }
        self.status.mode = ", ".join(word for word, on in modes.items() if on)
        self.status.redraw()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        for binding in self.BINDINGS:
            assert isinstance(binding, Binding)
            action = binding.action
            yield SystemCommand(
                binding.description, binding.tooltip, lambda action=action: self.call_later(self.run_action, action)
            )

    # leaving

    def action_leave(self) -> None:
        self.leave(0)

    async def action_quit(self) -> None:
        self.leave(0)

    def on_terminal_gone(self, _event: TerminalGone) -> None:
        self.leave(128 + signal.SIGHUP)

    def leave(self, status: int) -> None:
        """End in the one orderly way: everything put back, then the terminal. Idempotent."""
        if not self._leaving:
            self._leaving = True
            self._say_mode()
            self.run_worker(self._leave(status), group="leaving", exit_on_error=True)

    async def _leave(self, status: int) -> None:
        await self.stop_transport()
        # bounded: the keeper restores on its own when we are gone (end of its pipe)
        await asyncio.wait({asyncio.ensure_future(self.source.close())}, timeout=_CLOSE_S)
        await self.stop_keeping()
        if self.terminal is not None:
            await self.terminal.settle(_SETTLE_S)
        self.exit(status)
