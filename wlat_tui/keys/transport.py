"""Keys that move in time: through a recording, or back through what the live screen keeps."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import App
from textual.binding import Binding
from textual.worker import Worker

from wlat_tui import __version__
from wlat_tui.frame import Span
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.session import Session
from wlat_tui.panels.transport import Place, TransportPanel
from wlat_tui.screens.ask import AskDialog
from wlat_tui.sessions.moment import parse_moment
from wlat_tui.sessions.past import growing, session_at
from wlat_tui.sessions.places import Cell, late_wakes, mark_beside, overview, stall_beside, worst_frame
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.schema import SessionError
from wlat_tui.sources import Source
from wlat_tui.sources.replay import ReplaySource

if TYPE_CHECKING:
    from wlat_tui.panels.latency import LatencyPanel
    from wlat_tui.panels.stalls import StallsPanel

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
REST_S = 0.3
"""After a jump without another one for so long, more of the time before it is folded."""
REFINED_NS = 240_000_000_000
"""How much: as long as series are kept tick by tick."""
SLICE_FRAMES = 10
"""Folded in one go meanwhile: a few ms, so that keys are answered."""


class TransportKeys(App[int]):
    """Part of `wlat_tui.app.WlatApp`."""

    KEYS = [
        Binding("W", "worst", "Worst", tooltip="Recording: go to the worst write of all"),
        Binding(
            "comma",
            "step(-1)",
            "Step back",
            tooltip="One frame back; live: look back at what is kept in memory, measuring goes on",
        ),
        Binding("full_stop", "step(1)", "Step on", tooltip="Recording: one frame on"),
        Binding("less_than_sign", "speed(-1)", "Slower", tooltip="Recording: play slower, down to 0.25x"),
        Binding("greater_than_sign", "speed(1)", "Faster", tooltip="Recording: play faster, up to 60x"),
        Binding("apostrophe", "mark_beside(1)", "Next mark", tooltip="Recording: go to the next mark (a toggle, a note)"),
        Binding("quotation_mark", "mark_beside(-1)", "Previous mark", tooltip="Recording: go to the previous mark"),
        Binding("at", "go_to", "Go to a time", tooltip="Recording: go to a time, such as 03:00:05 or 90s"),
        Binding("L", "look_at_now", "Now", tooltip="Live: back from the past to what happens now"),
    ]

    session: Session
    now: Session
    """What the source's frames are folded into; the one shown, unless one looks back."""
    source: Source
    player: ReplaySource | None
    """What plays a recording; None while the screen shows what the source says now."""
    past: Recorder | None
    """What keeps the last minutes of a live screen in memory; None: nothing is kept."""
    transport: TransportPanel
    latency: LatencyPanel
    stalls: StallsPanel
    _causes_told: set[str]
    _fresh: bool
    _refining: Worker[None] | None

    def _arrange(self) -> None:
        raise NotImplementedError

    def draw(self) -> None:
        raise NotImplementedError

    def _say_mode(self) -> None:
        raise NotImplementedError

    def begin_transport(self) -> None:
        """Call once, when panels and source are there."""
        self.player = self.source if isinstance(self.source, ReplaySource) else None
        self._refining = None
        self._overview: tuple[object, tuple[Cell, ...]] = (None, ())
        self._stall_total = self._stalls_counted = 0
        self.past = None
        if self.player is not None:
            self._count_stalls(self.player.recording)
            self.tell_place()

    @property
    def _note(self) -> str:
        """Causes that are not of minutes ago were added up by who recorded it."""
        by = None if self.player is None else self.player.recording.facts.get("wlat", __version__)
        return "" if by == __version__ or by is None else f"older causes as wlat {by} named them"

    def _count_stalls(self, recording: Recording, since: int = 0) -> None:
        """Stalls in write() itself, of the whole recording; *since*: those before this frame are counted already."""
        if since == 0:
            self._stall_total = recording.start and session_at(recording, recording.start).headline().stalls
        end = len(recording)
        if since < end:
            first = max(since, recording.start)
            (more,) = recording.row("SELECT sum(stalls) FROM frame WHERE number >= ? AND number < ?", (first, end)) or (0,)
            self._stall_total += max(0, int(more or 0) - late_wakes(recording, first, end))
        self._stalls_counted = end

    def start_transport(self) -> None:
        """Call once, when the screen is there: shows the first moment, also of a recording that begins paused."""
        if self.player is not None:
            self.jump(self.player.number)

    @property
    def when(self) -> str:
        """For the status line: that this is not now."""
        return "" if self.player is None else "REPLAY" if self.player is self.source else "PAST, L goes back to now"

    @property
    def refused(self) -> str | None:
        """Why nothing can be changed from what is shown."""
        return "this is the past: L goes back to now" if self.player not in (None, self.source) else self.source.read_only

    async def _look_back(self) -> ReplaySource | None:
        """What plays, begun when it is not there yet: what is kept in memory as it is now."""
        if self.player is not None or self.past is None:
            return self.player
        try:
            recording = Recording.copied(await asyncio.to_thread(self.past.copy), "what is kept in memory")
        except (sqlite3.Error, SessionError) as error:
            self.notify(f"The past cannot be shown: {error}", severity="error", timeout=10, markup=False)
            return None
        if self.player is not None or len(recording) <= recording.start:
            recording.close()
            return self.player
        self.player = player = ReplaySource(recording, stay_open=True)
        player.pause()
        player.go_on_at(len(recording))
        self._count_stalls(recording)
        self.run_worker(self._play_past(player), group="past")
        self.tell_place()
        self._arrange()
        self._say_mode()
        return player

    async def stop_transport(self) -> None:
        """End what moves in a recording; nothing reads it any more then. Idempotent."""
        if self._refining is not None:
            self._refining.cancel()
        if self.player is not None and self.player is not self.source:
            await self.player.close()

    async def _play_past(self, player: ReplaySource) -> None:
        async for frame in player.frames():
            if self.player is not player:
                return
            if self.session is not self.now:
                self.session.fold(frame)
                self._fresh = True

    async def action_look_at_now(self) -> None:
        player = self.player
        if player is None or player is self.source:
            return
        await self.stop_transport()
        self.player = None
        self.session, self._fresh = self.now, True
        self.tell_place()
        self._arrange()
        self._say_mode()
        self.draw()

    def tell_place(self) -> None:
        """Tell the bar where one is."""
        player = self.player
        span_ns = None if player is None else player.recording.span_ns
        if player is None or span_ns is None:
            self.transport.place = None
            return
        self._count_stalls(player.recording, since=self._stalls_counted)
        state = "at the end" if player.ended else "paused" if player.paused else "playing"
        if state == "playing" and player.number >= len(player.recording):
            state = "waiting for more"
        self.transport.place = Place(
            *span_ns, state, player.speed, self._stall_total, self._track(player.recording), self._note
        )

    def _track(self, recording: Recording) -> tuple[Cell, ...]:
        width = self.transport.size.width or self.size.width
        drawn_for = (width, self.latency.span, len(recording))
        if self._overview[0] != drawn_for:
            self._overview = drawn_for, tuple(overview(recording, self.latency.span, width))
        return self._overview[1]

    def play_or_pause(self) -> None:
        player = self.player
        if player is None:
            return
        if player.ended:
            self.jump(0)
            player.play()
        elif player.paused:
            player.play()
        else:
            player.pause()
        self._show_place()

    def _show_place(self) -> None:
        self.tell_place()
        self.transport.redraw()

    def jump(self, number: int) -> None:
        """Show the moment this frame ends; what was counted before it is known at once, older evidence a moment later."""
        player = self.player
        if player is None:
            return
        number = max(player.recording.start, min(number, len(player.recording) - 1))
        try:
            session = session_at(player.recording, number)
        except (SessionError, IndexError) as error:
            self.notify(str(error), severity="error", timeout=10, markup=False)
            return
        self._show_session(session)
        self._causes_told.update(top.cause.name for top in session.top_causes)  # no news: they were passed over
        if session.writer is not None and session.writer.stalls:
            self.stalls.point_at(max(session.writer.stalls, key=lambda stall: span_ns(stall, self.latency.span)))
        player.go_on_at(number + 1)
        self.tell_place()
        self.draw()
        if self._refining is not None:
            self._refining.cancel()
        self._refining = self.run_worker(self._refine(player, number), group="refining")

    def _show_session(self, session: Session) -> None:
        if self.player is self.source:
            self.now = session
        self.session = session
        self._fresh = True

    async def _refine(self, player: ReplaySource, number: int) -> None:
        """Fold minutes before the place one has come to, in slices; then show that instead."""
        await asyncio.sleep(REST_S)
        shown = self.session
        better: Session | None = None
        for better in growing(player.recording, number, REFINED_NS):
            if better.frames % SLICE_FRAMES == 0:
                await asyncio.sleep(0)
        while better is not None and self.player is player and self.session is shown:
            for frame in player.recording.frames(number + 1, player.number):  # played meanwhile
                better.fold(frame)
            if len(self.screen_stack) == 1:  # what a dialog shows stays
                self._show_session(better)
                self.draw()
                return
            number = max(number, player.number - 1)
            await asyncio.sleep(REST_S)

    async def _stop(self) -> ReplaySource | None:
        """Somebody who jumps wants to look, not to be carried on."""
        player = await self._look_back()
        if player is None:
            self.notify("There is no past to go to: nothing is kept in memory (--past 0)", timeout=4, markup=False)
            return None
        player.pause()
        return player

    async def action_step(self, frames: int) -> None:
        player = await self._stop()
        if player is None:
            return
        if frames > 0 and not player.ended:
            player.step(frames)
            self._show_place()
        else:
            self.jump(player.number - 2)

    async def action_speed(self, step: int) -> None:
        player = await self._look_back()
        if player is None:
            await self._stop()
            return
        faster = [speed for speed in SPEEDS if (speed > player.speed if step > 0 else speed < player.speed)]
        if faster:
            player.speed = min(faster) if step > 0 else max(faster)
        self._show_place()

    def go_to_stall(self, step: int) -> bool:
        if self.player is None:
            return False
        otherwise = "There is no stall on that side of here"
        self.run_worker(self._go(lambda recording, number: stall_beside(recording, number, step), otherwise), group="going")
        return True

    async def action_mark_beside(self, step: int) -> None:
        await self._go(lambda recording, number: mark_beside(recording, number, step), "There is no mark on that side of here")

    async def action_worst(self) -> None:
        span: Span = self.latency.span
        await self._go(lambda recording, _: worst_frame(recording, span), "No write has finished in it")

    async def action_go_to(self) -> None:
        player = await self._stop()
        if player is None:
            return

        def refuse(text: str) -> str | None:
            try:
                moment_ns = parse_moment(text, player.recording)
            except (ValueError, SessionError) as error:
                return str(error)
            return None if player.recording.number_at(moment_ns) < len(player.recording) else "the recording ended before that"

        def go(text: str | None) -> None:
            if text is not None:
                self.jump(player.recording.number_at(parse_moment(text, player.recording)))

        self.push_screen(AskDialog("Go to", "90s or 10m since the start, 03:00:05, 2025-06-02T03:00:05", refuse), go)

    async def _go(self, find: Callable[[Recording, int], int | None], otherwise: str) -> None:
        player = await self._stop()
        if player is None:
            return
        try:
            number = find(player.recording, player.number - 1)
        except SessionError as error:
            self.notify(str(error), severity="error", timeout=10, markup=False)
            return
        if number is None:
            self.notify(otherwise, timeout=4, markup=False)
            self._show_place()
            return
        self.jump(number)

    def on_transport_panel_wanted(self, message: TransportPanel.Wanted) -> None:
        if self.player is not None:
            self.jump(self.player.recording.number_at(message.at_ns))
