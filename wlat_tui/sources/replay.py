"""A recording, played: the frames it holds, in time order, at a speed; nothing can be changed in it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

from wlat_tui.frame import Frame
from wlat_tui.sessions.recording import Recording
from wlat_tui.sources import Outcome, Request

LONGEST_WAIT_S = 2.0
"""A hole in the recording (suspend, stopped recorder) is not waited for any longer than this."""


GROWTH_S = 0.1
"""How often to look for more."""


class ReplaySource:
    """Frames of a recording, each when it is due.

    What was known before a frame one jumps to is `wlat_tui.sessions.past`'s business.

    Args:
        recording: closed with the source.
        speed: times real time; ``math.inf``: as fast as frames are taken.
        stay_open: at the end, wait for a seek until closed.
        growing: whether more frames may still be added to the recording; then its end is no end.

    Raises:
        ValueError: speed not above 0.
    """

    read_only: str | None = "this is a recording: nothing can be changed in it"
    farewell: str | None = None

    def __init__(
        self,
        recording: Recording,
        speed: float = 1.0,
        *,
        stay_open: bool = False,
        growing: Callable[[], bool] = lambda: False,
    ) -> None:
        demo = " of the demo" if "demo" in str(recording.facts.get("source", "")) else ""
        self.description = f"replay of {recording.path.name}{demo}"
        self.recording = recording
        self._stay_open = stay_open
        self._growing = growing
        self._number = 0
        self._closed = False
        self._paused = False
        self._steps = 0
        self._moved = asyncio.Event()
        self.speed = speed

    @property
    def speed(self) -> float:
        """Times real time; can be set while playing."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        if not value > 0:
            raise ValueError(f"a speed of {value:g} is not possible: choose more than 0, such as 0.25 or 60")
        self._speed = value
        self._moved.set()

    @property
    def paused(self) -> bool:
        """Whether frames come only by `step`."""
        return self._paused

    @property
    def ended(self) -> bool:
        """No frame follows."""
        return not self.growing and self._number >= len(self.recording)

    @property
    def growing(self) -> bool:
        """More frames may still be added."""
        return self._growing()

    @property
    def number(self) -> int:
        """Number of the frame that comes next."""
        return self._number

    def pause(self) -> None:
        self._paused = True
        self._moved.set()

    def play(self) -> None:
        self._paused, self._steps = False, 0
        self._moved.set()

    def step(self, frames: int = 1) -> None:
        """Let some frames through at once, while paused."""
        self._steps += frames
        self._moved.set()

    def go_on_at(self, number: int) -> None:
        """Make this frame the next one."""
        self._number = number
        self._moved.set()

    async def frames(self) -> AsyncIterator[Frame]:
        """Frames until the end of the recording or of the source. Raises SessionError where the recording is damaged."""
        coming: Iterator[Frame] | None = None
        played_ns: int | None = None
        number = self._number
        while not self._closed:
            if coming is None or number != self._number:
                number, played_ns = self._number, None
                coming = self.recording.frames(number)
            frame = next(coming, None)
            if frame is None:
                growing = self.growing  # asked before looking once more: what came last must not be missed
                coming = None
                if number < len(self.recording):
                    continue
                if not (self._stay_open or growing):
                    return
                self._moved.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._moved.wait(), GROWTH_S if growing else None)
                continue
            if not await self._due(frame, played_ns, number):
                coming = None
                continue
            self._number = number = number + 1
            played_ns = frame.end_ns
            yield frame

    async def _due(self, frame: Frame, played_ns: int | None, number: int) -> bool:
        """Wait until it is time for this frame; False when another one is wanted instead."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            self._moved.clear()
            if self._closed or self._number != number:
                return False
            if self._paused:
                if self._steps:
                    self._steps -= 1
                    return True
                left_s = math.inf
            else:
                ahead_s = 0.0 if played_ns is None else (frame.end_ns - played_ns) / 1e9 / self._speed
                left_s = began + min(ahead_s, LONGEST_WAIT_S) - loop.time()
                if left_s <= 0:
                    await asyncio.sleep(0)
                    return not self._closed and self._number == number
            try:
                await asyncio.wait_for(self._moved.wait(), None if math.isinf(left_s) else left_s)
            except TimeoutError:
                continue  # due now

    async def apply(self, request: Request) -> Outcome:
        return Outcome(False, self.read_only or "")

    async def close(self) -> None:
        self._closed = True
        self._moved.set()
        self.recording.close()
