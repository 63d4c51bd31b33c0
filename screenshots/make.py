"""Make the pictures in this directory: the real program on the host it runs on, and the demo. One command, two minutes:

    .venv/bin/python screenshots/make.py

Root shows more (settings can be changed), but nothing is: only wlat's own writer is switched. PNGs need rsvg-convert,
and pngquant to be small.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
from picture import retouched
from textual.pilot import Pilot

from wlat_tui.app import WlatApp
from wlat_tui.commands.live import check_directory
from wlat_tui.frame import Settings
from wlat_tui.mitigations import catalogue
from wlat_tui.sources import Source
from wlat_tui.sources.live import LiveSource
from wlat_tui.sources.scripted import ScriptedSource

HERE = Path(__file__).parent
NORMAL = (120, 40)
WATCH_S = 60.0
"""Long enough for percentiles and a piece of history."""
PREWARM_S = 120.0
"""At most, until figures before and after are known."""
REDRAW_S = 1.2
PNG_WIDTH = 1400
STALL = "list_lock"
"""The cause of the stall that is opened for its picture."""
DEMO = frozenset({"demo-120x40", "stall-120x40", "suspects-120x40"})


class Camera:
    """Takes pictures of one running app."""

    def __init__(self, app: WlatApp, pilot: Pilot[int], directory: Path, wanted: frozenset[str]) -> None:
        self.app, self.pilot = app, pilot
        self._directory, self._wanted = directory, wanted

    async def settle(self, seconds: float = REDRAW_S) -> None:
        """Let the app draw."""
        await asyncio.sleep(seconds)
        await self.pilot.pause()

    async def until(self, condition: Callable[[], bool], seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            if condition():
                return
            await asyncio.sleep(0.1)

    def wants(self, *names: str) -> bool:
        """Whether any of these pictures is asked for."""
        return not self._wanted or not self._wanted.isdisjoint(names)

    async def take(self, name: str) -> None:
        """Save the screen as SVG, and as PNG where rsvg-convert is installed."""
        if not self.wants(name):
            return
        await self.settle()
        svg = self._directory / f"{name}.svg"
        svg.write_text(retouched(self.app.export_screenshot(title="wlat")), encoding="utf-8")
        if shutil.which("rsvg-convert"):
            png = svg.with_suffix(".png")
            subprocess.run(["rsvg-convert", "--width", str(PNG_WIDTH), "--output", png, svg], check=True)
            if shutil.which("pngquant"):  # a third of the size, and no difference to be seen
                subprocess.run(["pngquant", "--force", "--ext", ".png", "--strip", png], check=True)
        print(svg, file=sys.stderr)

    async def resize(self, columns: int, rows: int) -> None:
        await self.pilot.resize_terminal(columns, rows)
        await self.settle()


async def live(camera: Camera, watch_s: float) -> None:
    """The real host: every size, a dialog, help, paused, and what prewarming did."""
    app, pilot = camera.app, camera.pilot
    await camera.until(lambda: app.session.elapsed_ns >= watch_s * 1e9, 10 + 3 * watch_s)
    if app.session.writer is None:
        raise SystemExit(f"the writer did not start: {app.session.writer_missing}")
    await camera.take("live-120x40")
    await camera.resize(200, 60)
    await camera.take("live-200x60")
    await camera.resize(80, 24)
    await camera.take("live-80x24")
    await camera.resize(*NORMAL)
    names = [mitigation.name for mitigation in catalogue()]
    await pilot.press("3", "g", *["down"] * names.index("zone_reclaim_mode"), "enter")
    await camera.take("dialog-120x40")
    await pilot.press("escape", "g", "question_mark")
    await camera.take("help-120x40")
    await pilot.press("escape", "p")
    await camera.take("paused-120x40")
    await pilot.press("p")


async def prewarm(camera: Camera, watch_s: float) -> None:
    """Switch prewarming on and wait for figures before and after."""
    app = camera.app
    switch = next(mitigation for mitigation in catalogue() if mitigation.name == "prewarm")
    outcome = await app.source.apply(switch.request("write", app.session))
    if not outcome.ok:
        raise SystemExit(outcome.message)
    # prepared segments come one after the other: the first figures are still those of the old segment
    await camera.until(lambda: bool(app.session.changes) and app.session.changes[-1].enough, PREWARM_S)
    await camera.settle(min(30.0, watch_s))
    await camera.take("prewarm-120x40")


async def demo(camera: Camera, watch_s: float) -> None:
    """The scripted two-node host, which is labelled as such."""
    await camera.until(lambda: camera.app.session.elapsed_ns >= watch_s * 1e9, 10 + 3 * watch_s)
    await camera.take("demo-120x40")
    if not camera.wants("stall-120x40", "suspects-120x40"):
        return  # the stall comes half a minute later
    app, pilot = camera.app, camera.pilot
    await camera.until(lambda: any(one.verdict.cause == STALL for one in app.stalls.listed), 60)
    at = [one.verdict.cause for one in app.stalls.listed].index(STALL)
    await pilot.press("5", "g", *["n"] * at, "enter")
    await camera.take("stall-120x40")
    await pilot.press("escape", "w")
    await camera.take("suspects-120x40")
    await pilot.press("escape")


async def show(
    source: Source,
    scenes: list[Callable[[Camera, float], Awaitable[None]]],
    target: Path,
    wanted: frozenset[str],
    watch_s: float,
) -> None:
    """Run the app without a terminal and let the scenes play."""
    app = WlatApp(source, ascii=False, low_bandwidth=False)
    try:
        async with app.run_test(size=NORMAL) as pilot:
            camera = Camera(app, pilot, target, wanted)
            for scene in scenes:
                await scene(camera, watch_s)
    finally:
        await source.close()
    if source.farewell is not None:
        raise SystemExit(source.farewell)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make wlat's screenshots on this host.")
    parser.add_argument("names", nargs="*", help="only these, such as live-120x40 (default: all)")
    parser.add_argument("--to", type=Path, default=HERE, help="directory for the pictures (default: beside this file)")
    parser.add_argument("--dir", default=".", help="write on the filesystem of this directory (default: the current one)")
    parser.add_argument(
        "--watch", type=float, default=WATCH_S, metavar="SECONDS", help="before the first picture (%(default)s)"
    )
    options = parser.parse_args(arguments)
    wanted = frozenset(options.names)
    for tool, package, without in (
        ("rsvg-convert", "librsvg2-bin", "only SVG is made"),
        ("pngquant", "pngquant", "PNGs are three times as large"),
    ):
        if not shutil.which(tool):
            print(f"{tool} is not installed (Debian: apt-get install {package}): {without}", file=sys.stderr)
    if not wanted or wanted - DEMO:
        try:
            host = LiveSource(Settings(), check_directory(options.dir), read_only=False, sudo=False)
        except click.ClickException as error:
            parser.error(error.format_message())
        scenes = [live, prewarm] if not wanted or "prewarm-120x40" in wanted else [live]
        asyncio.run(show(host, scenes, options.to, wanted, options.watch))
    if not wanted or wanted & DEMO:
        asyncio.run(show(ScriptedSource(), [demo], options.to, wanted, options.watch))


if __name__ == "__main__":
    main()
