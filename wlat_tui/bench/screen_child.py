"""Child of `wlat bench`: the real screen over the real source for a while, then what its writer measured, as JSON.

    python -m wlat_tui.bench.screen_child drawn|undrawn DIRECTORY INTERVAL_NS WARM_UP_S SECONDS RESULT_FILE

Only what a tap between source and screen adds is different from ``wlat``; undrawn, there is no screen behind the tap.
It ends by itself, in order, with status 143.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from wlat_tui.frame import Frame, Settings, Span
from wlat_tui.model.session import Session
from wlat_tui.sources import Outcome, Request, Source


class TimedSource:
    """Passes frames on, folds those after the warm-up into a session of its own, and ends the program after a time."""

    def __init__(self, source: Source, warm_up_s: float, seconds: float) -> None:
        self.session = Session()
        self.description = source.description
        self.read_only = source.read_only
        self.farewell: str | None = None
        self.counts: Counter[str] = Counter()
        self._source = source
        self._warm_up_s = warm_up_s
        self._seconds = seconds

    async def frames(self) -> AsyncIterator[Frame]:
        loop = asyncio.get_running_loop()
        began_s: float | None = None
        async for frame in self._source.frames():
            if began_s is None and frame.writer is not None:
                began_s = loop.time()  # the engine has started
            since_s = 0.0 if began_s is None else loop.time() - began_s
            if since_s > self._warm_up_s + self._seconds:
                signal.raise_signal(signal.SIGTERM)
                return
            if since_s > self._warm_up_s:
                self.session.fold(frame)
                self._count(frame)
            yield frame

    async def apply(self, request: Request) -> Outcome:
        return await self._source.apply(request)

    async def close(self) -> None:
        await self._source.close()

    def _count(self, frame: Frame) -> None:
        if (tick := frame.writer) is None:
            self.counts["frames without a report"] += 1
            return
        self.counts["writes"] += sum(tick.writes)
        self.counts["covered_ns"] += tick.end_ns - tick.begin_ns
        self.counts["slots skipped"] += tick.skipped_slots
        self.counts["slots refused by the filesystem"] += tick.error_slots
        for name, lost in frame.losses.items():
            self.counts[f"{name} lost"] += lost


def figures_us(session: Session) -> dict[str, float]:
    """The quantiles that fidelity compares, in microseconds. Empty when there was no write."""
    figures: dict[str, float] = {}
    for span in (Span.SERVICE, Span.WAKE):
        whole = session.whole(span)
        if whole is None:
            return {}
        for name, value_ns in (("p50", whole.p50_ns), ("p99", whole.p99_ns), ("p99.9", whole.p999_ns)):
            figures[f"{span.name.lower()} {name}"] = (value_ns or 0) / 1e3
    return figures


async def drain(source: TimedSource) -> int:
    """Take every frame and draw none; the same status as the screen's."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: None)  # how the source says that it is over
    async for _ in source.frames():
        pass
    await source.close()
    return 128 + signal.SIGTERM


def main(arguments: list[str]) -> int:
    from wlat_tui.running import run
    from wlat_tui.sources.live import LiveSource

    drawn, directory, interval_ns, warm_up_s, seconds, result = arguments
    live = LiveSource(Settings(interval_ns=int(interval_ns)), Path(directory), read_only=True, sudo=False)
    source = TimedSource(live, float(warm_up_s), float(seconds))
    status = run(source) if drawn == "drawn" else asyncio.run(drain(source))
    found: dict[str, Any] = {"figures_us": figures_us(source.session), "counts": source.counts}
    Path(result).write_text(json.dumps(found))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
