"""Keys that keep what is seen: record to a file, mark a moment with a note, write out the last minutes."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textual.app import App
from textual.binding import Binding

from wlat_tui.frame import Frame, Mark
from wlat_tui.model.session import Session
from wlat_tui.screens.ask import AskDialog
from wlat_tui.sessions.flight import FlightWatch
from wlat_tui.sessions.names import default_path
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.schema import SECTIONS, SessionError
from wlat_tui.sources import Source
from wlat_tui.units import format_bytes

NOTE_CHARACTERS = 200
CLOSE_S = 8.0
"""The disk may take so long at the end; the file opens in any case."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept of a live run, as the command line asks for it."""

    record: Path | None = None
    """Record from the start into this file."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """For the header of files."""
    past_ns: int | None = None
    """How much is kept in memory, to look back at and to write out; None: nothing."""
    flight_above_ns: int | None = None
    """Write the last minutes out when a write takes longer; None: on a key only."""
    directory: Path = Path()
    """Where files without a name go."""


class RecordKeys(App[int]):
    """Part of `wlat_tui.app.WlatApp`."""

    KEYS = [
        Binding("r", "record", "Record", tooltip="Record to a file, or stop recording"),
        Binding("m", "note", "Note", tooltip="Mark this moment with a note (in the chart and in the recording)"),
        Binding("f", "write_out", "Write out", tooltip="Write the last minutes, kept in memory, to a file"),
    ]

    keeping: Keeping | None
    past: Recorder | None
    recorder: Recorder | None
    now: Session
    source: Source

    def _say_mode(self) -> None:
        raise NotImplementedError

    def begin_keeping(self, keeping: Keeping | None) -> None:
        """Call once, before frames come; None: nothing can be kept of this source.

        Raises:
            SessionError: the file cannot be made.
        """
        self.keeping = keeping
        self.recorder = None
        self._notes: list[Mark] = []
        self._sections: dict[str, Any] = {}
        self._said: str | None = None
        self._begins = True
        self._flight = FlightWatch(None if keeping is None else keeping.flight_above_ns)
        if keeping is None:
            return
        if keeping.past_ns:
            self.past = Recorder(None, keeping.facts, keep_ns=keeping.past_ns)
        if keeping.record is not None:
            self.recorder = Recorder(keeping.record, keeping.facts)

    def kept(self, frame: Frame) -> Frame:
        """Take a frame of the source in: with the notes of this moment, and into whatever records."""
        if self._notes:
            frame, self._notes = replace(frame, marks=(*frame.marks, *self._notes)), []
        self._sections |= {name: part for name in SECTIONS if (part := getattr(frame, name)) is not None}
        if self.past is not None:
            self.past.take(frame)
        if self.recorder is not None:
            self.recorder.take(self._whole(frame) if self._begins else frame)
            self._begins = False
        if (reason := self._flight.due(frame)) is not None:
            self.run_worker(self._write_out(reason), group="recording")
        if self.recorder is not None and self.recorder.problem != self._said:
            self._said = self.recorder.problem
            self.notify(self._said or "Recording goes on", severity="warning", timeout=10, markup=False)
        return frame

    def _whole(self, frame: Frame) -> Frame:
        """With what is read seldom and is known already: the file must not wait for it."""
        return replace(frame, **{name: part for name, part in self._sections.items() if getattr(frame, name) is None})

    @property
    def recording_state(self) -> str:
        """For the status line."""
        if self.recorder is None or self.recorder.path is None:
            return ""
        size = format_bytes(self.recorder.used_bytes)
        state = "REC PAUSED, disk full?" if self.recorder.problem else "REC"
        return f"{state} {self.recorder.path.name} {size}"

    def action_record(self) -> None:
        if self.recorder is not None:
            self.run_worker(self._stop_recording(), group="recording")
            return
        keeping = self._keeping()
        if keeping is None:
            return
        path = keeping.directory / default_path()
        started = {"wall_ns": time.time_ns(), "monotonic_ns": time.monotonic_ns()}
        try:
            recorder = Recorder(path, {**keeping.facts, "started": started})
        except SessionError as error:
            self.notify(str(error), severity="error", timeout=10, markup=False)
            return
        self._begins = True
        self.recorder = recorder
        self.notify(f"Recording to {path} (r stops)", timeout=5, markup=False)
        self._say_mode()

    def _keeping(self) -> Keeping | None:
        if self.keeping is None:
            self.notify("This is a recording already: 'wlat cut' makes a part of it a file", timeout=5, markup=False)
        return self.keeping

    async def _stop_recording(self, reason: str = "stopped by the user") -> str | None:
        """Returns what the user must know."""
        recorder, self.recorder = self.recorder, None
        if recorder is None:
            return None
        said = await asyncio.to_thread(recorder.close, reason)
        if not self._exit:
            kept = f"Recorded {recorder.frames:,} frames, {format_bytes(recorder.used_bytes)}, to {recorder.path}"
            self.notify(said or kept, severity="warning" if said else "information", timeout=8, markup=False)
            self._say_mode()
        return said

    async def stop_keeping(self) -> None:
        """End whatever records; bounded."""
        if self.past is not None:
            self.past.forget()
            self.past = None
        await asyncio.wait([asyncio.ensure_future(self._stop_recording("wlat ended"))], timeout=CLOSE_S)

    def action_note(self) -> None:
        if self._keeping() is None:
            return
        at_ns = self.now.now_ns

        def refuse(text: str) -> str | None:
            if not text:
                return "write what happened, or press Esc"
            return None if len(text) <= NOTE_CHARACTERS else f"a note has at most {NOTE_CHARACTERS} characters"

        def mark(text: str | None) -> None:
            if text is not None:
                self._notes.append(Mark(at_ns, "note", text, None, None, text))

        self.push_screen(AskDialog("Note at this moment", "what happened here", refuse), mark)

    def action_write_out(self) -> None:
        if self.past is None:
            self.notify("Nothing is kept in memory that could be written out (--flight 5m)", timeout=5, markup=False)
            return
        self.run_worker(self._write_out("on request"), group="recording")

    async def _write_out(self, reason: str) -> None:
        past, keeping = self.past, self.keeping
        if past is None or keeping is None:
            return
        path = keeping.directory / default_path("flight")
        try:
            await asyncio.to_thread(past.save, path, reason)
        except (SessionError, sqlite3.Error) as error:
            self.notify(f"The last minutes could not be written: {error}", severity="error", timeout=10, markup=False)
            return
        self.notify(f"The last minutes are in {path} ({reason})", timeout=10, markup=False)
