"""The transport bar: where in a recording one is, and the whole of it at a glance."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.message import Message

from wlat_tui.model.session import Session
from wlat_tui.panels.panel import Panel
from wlat_tui.renderables.latency_strip import LogAxis
from wlat_tui.renderables.line import Line, Role, Span, first_fitting, merged
from wlat_tui.renderables.track import track
from wlat_tui.sessions.places import Cell


@dataclass(frozen=True, slots=True)
class Place:
    """What the bar says; made by `wlat_tui.keys.transport`."""

    begin_ns: int
    end_ns: int
    """Of what can be gone to."""
    state: str
    """"playing", "paused", "at the end" or, of a stream, "waiting for more"."""
    speed: float
    stalls: int
    """In write() itself, in all of it."""
    cells: tuple[Cell, ...] = field(default=())
    note: str = ""


class TransportPanel(Panel):
    """Two rows: the moment, and the track. Left and Right, a click or dragging move on it."""

    title: ClassVar[str] = "Transport bar"
    key: ClassVar[str] = ""
    help: ClassVar[str] = (
        "The whole recording from left to right: each cell is the worst write of its time, red over the threshold; a mark is a "
        "toggle or a note. Click or drag to go there. Figures since the start are those up to the moment shown."
    )
    BINDINGS = [
        Binding("left", "scrub(-1)", "Back a cell", show=False),
        Binding("right", "scrub(1)", "On a cell", show=False),
        Binding("shift+left,pageup", "scrub(-10)", "Back ten cells", show=False),
        Binding("shift+right,pagedown", "scrub(10)", "On ten cells", show=False),
        Binding("home", "scrub(-100000)", "To the beginning", show=False),
        Binding("end", "scrub(100000)", "To the end", show=False),
    ]

    class Wanted(Message):
        """The user wants to be at this moment (CLOCK_MONOTONIC ns of the recording)."""

        def __init__(self, at_ns: int) -> None:
            super().__init__()
            self.at_ns = at_ns

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.place: Place | None = None
        self._now_ns = self._wall_ns = self._stalls = 0
        self._threshold_ns = 1
        self._dragging = False

    @property
    def rows(self) -> int:
        """Rows it needs: none while there is nothing to move in."""
        return 0 if self.place is None else 2

    def take(self, session: Session) -> None:
        self._now_ns, self._wall_ns, self._stalls = session.now_ns, session.wall_ns, session.headline().stalls
        self._threshold_ns = session.settings.threshold_ns

    def _heading(self, width: int) -> Line:
        place = self.place
        if place is None:
            return ()
        sign = {"playing": self.glyphs.closed, "paused": "=", "at the end": "|"}[place.state]
        role: Role = "focus" if self.has_focus else "heading"
        moment = time.strftime("%H:%M:%S", time.localtime(self._wall_ns / 1e9))
        at: list[Span] = [
            (f" {sign} {place.state} ", role),
            (f" {place.speed:g}x ", "label"),
            (f" {moment}", "heading"),
            (f"  +{_clock(self._now_ns - place.begin_ns)} of {_clock(place.end_ns - place.begin_ns)}", ""),
        ]
        stalls: Span = (f"  stall {self._stalls:,} of {place.stalls:,}", "label")
        note: list[Span] = [(f"  {place.note}", "notice")] if place.note else []
        keys: Span = ("  Space play  < > speed  , . step  n N stall  W worst  ' \" mark  @ time", "dim")
        some: Span = ("  Space play  n N stall  W worst  @ time", "dim")
        few: Span = ("  n N W @", "dim")
        return first_fitting(
            [
                merged([*at, stalls, *note, keys]),
                merged([*at, stalls, *note, some]),
                merged([*at, stalls, *note, few]),
                merged([*at, stalls, *note]),
                merged([*at, *note]),
            ],
            width,
            self.glyphs.ellipsis,
        )

    def body(self, width: int, height: int) -> list[Line]:
        place = self.place
        if place is None or not place.cells:
            return []
        here = cell_of(place, self._now_ns - 1)
        worst = [cell.worst_ns for cell in place.cells]
        return [track(worst, [c.marked for c in place.cells], here, self._threshold_ns, LogAxis(), self.glyphs)]

    def action_scrub(self, cells: int) -> None:
        place = self.place
        if place is None or not place.cells:
            return
        wanted = min(len(place.cells) - 1, max(0, cell_of(place, self._now_ns - 1) + cells))
        last = cells > 0 and wanted == len(place.cells) - 1
        self.post_message(self.Wanted(place.end_ns - 1 if last else _moment(place, wanted)))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._dragging = True
        self.capture_mouse()
        self._want(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragging:
            self._want(event.x)

    def on_mouse_up(self, _event: events.MouseUp) -> None:
        self._dragging = False
        self.release_mouse()

    def _want(self, x: int) -> None:
        if self.place is not None and self.place.cells:
            self.post_message(self.Wanted(_moment(self.place, min(len(self.place.cells) - 1, max(0, x)))))


def cell_of(place: Place, at_ns: int) -> int:
    """The cell of the track that a moment lies in."""
    length_ns = max(1, place.end_ns - place.begin_ns)
    return min(len(place.cells) - 1, max(0, (at_ns - place.begin_ns) * len(place.cells) // length_ns))


def _moment(place: Place, cell: int) -> int:
    """The middle of a cell."""
    length_ns = place.end_ns - place.begin_ns
    return place.begin_ns + length_ns * (2 * cell + 1) // (2 * len(place.cells))


def _clock(ns: int) -> str:
    seconds = max(0, ns) / 1e9
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}.{int(seconds * 10) % 10}"
