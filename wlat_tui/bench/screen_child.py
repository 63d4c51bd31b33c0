"""Child of `wlat bench`: the real screen over the real source for a while, then what its writer measured, as JSON.

    python -m wlat_tui.bench.screen_child DIRECTORY WARM_UP_S SECONDS RESULT_FILE

Only what a tap between source and screen adds is different from ``wlat``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from wlat_tui.frame import Frame, Settings
from wlat_tui.model.session import Session
from wlat_tui.sources import Outcome, Request, Source


class TimedSource:
    """Passes frames on, folds those after the warm-up into a session of its own, and ends after a time."""

    def __init__(self, source: Source, warm_up_s: float, seconds: float) -> None:
        self.session = Session()
        self.description = source.description
        self.read_only = source.read_only
        self.farewell: str | None = None
        self._source = source
        self._warm_up_s = warm_up_s
        self._seconds = seconds

    async def frames(self) -> AsyncIterator[Frame]:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        async for frame in self._source.frames():
            if (since_s := loop.time() - began_s) > self._warm_up_s + self._seconds:
                return
            if since_s > self._warm_up_s:
                self.session.fold(frame)
            yield frame

    async def apply(self, request: Request) -> Outcome:
        return await self._source.apply(request)

    async def close(self) -> None:
        await self._source.close()


def figures_us(session: Session) -> dict[str, float]:
    """The quantiles that fidelity compares, in microseconds."""
    from wlat_tui.frame import Span

    figures: dict[str, float] = {}
    for span in (Span.SERVICE, Span.WAKE):
        whole = session.whole(span)
        if whole is None:
            raise SystemExit("the engine reported no write")
        for name, value_ns in (("p50", whole.p50_ns), ("p99", whole.p99_ns), ("p99.9", whole.p999_ns)):
            figures[f"{span.name.lower()} {name}"] = (value_ns or 0) / 1e3
    return figures


def main(arguments: list[str]) -> int:
    from wlat_tui.app import run
    from wlat_tui.sources.live import LiveSource

    directory, warm_up_s, seconds, result = arguments
    source = TimedSource(LiveSource(Settings(), Path(directory), read_only=True, sudo=False), float(warm_up_s), float(seconds))
    status = run(source)
    Path(result).write_text(json.dumps(figures_us(source.session)))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
