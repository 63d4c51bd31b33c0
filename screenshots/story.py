"""Make the story's four pictures: chapters of the tests, played in a guest with two nodes, drawn from their recordings.

.venv/bin/python screenshots/story.py            # boots the guest (QEMU, no KVM needed): ten minutes
.venv/bin/python screenshots/story.py --from DIR # draws again from the recordings that --keep DIR left
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from picture import retouched
from rich.text import Text
from textual.app import App, ComposeResult
from textual.widgets import Static

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.numa.shows import Collected, two_nodes  # noqa: E402  (the tests are not installed)
from tests.numa.test_story import ALLOCATED, WRITES, turns  # noqa: E402
from wlat_tui.app import WlatApp  # noqa: E402
from wlat_tui.experiment.outcome import phases_of  # noqa: E402
from wlat_tui.frame import Frame, Span, WriteClass  # noqa: E402
from wlat_tui.model.phases import KIND, WARM_UP  # noqa: E402
from wlat_tui.model.series import aligned  # noqa: E402
from wlat_tui.model.session import Session  # noqa: E402
from wlat_tui.renderables.causes import Marked  # noqa: E402
from wlat_tui.renderables.glyphs import UNICODE  # noqa: E402
from wlat_tui.renderables.history import HistoryView, canvas_cells, history  # noqa: E402
from wlat_tui.renderables.line import Line  # noqa: E402
from wlat_tui.sessions.recording import Recording  # noqa: E402
from wlat_tui.sources.replay import ReplaySource  # noqa: E402
from wlat_tui.theme import role_styles  # noqa: E402


@dataclass(frozen=True)
class Picture:
    """One picture: which chapter's recording, which of its turns."""

    title: str
    chapter: str
    turns: tuple[str, ...]


STORY = {
    "1-full-node": Picture("Node 1 fills up: the writer's pages come from node 0", "reclaim", ("mode 0",)),
    "2-node-reclaim": Picture(
        "zone_reclaim_mode 0, 1 and 7: with any bit the writer makes room on node 1", "reclaim", ("mode 0", "mode 1", "mode 7")
    ),
    "3-prewarmed": Picture(
        "Pages that the writer's own thread takes from the kernel, per write() of 32 KiB",
        "nodes",
        ("node 0", "node 0, prepared", "node 1", "node 1, prepared", "node 1, prepared on node 0"),
    ),
    "4-slabinfo": Picture("Who reads /proc/slabinfo", "slabinfo", ("reader",)),
}
WIDTH, HEIGHT = 110, 26
SCREEN = (120, 24)
MOST_PAGES, BAR_CELLS = 8, 32
PNG_WIDTH = 1400
PATIENCE_S = 60
REDRAW_S = 1.2
BEFORE_NS = 8_000_000_000
"""Shown before the first turn is measured: its loads take effect then."""
BOOTED_S = 1800
KERNEL = "6.12"


def record(out: Path) -> None:
    """Play the chapters in one guest. Raises SystemExit when none can be booted here."""
    guest = two_nodes(KERNEL, "ext4")
    if reason := guest.unavailable():
        raise SystemExit(reason)
    chapters = " ".join(dict.fromkeys(picture.chapter for picture in STORY.values()))
    done = guest.run(f"mkdir -p /job/out\npython -u -m tests.numa.chapters /job/out {chapters}", timeout_s=BOOTED_S, keep=out)
    print(done.check(), file=sys.stderr)


def turns_only(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Frames with one mark per turn, where it begins; what each turn switches is in its name."""
    for frame in frames:
        yield replace(frame, marks=tuple(mark for mark in frame.marks if mark.kind == KIND and mark.after == WARM_UP))


def chart(path: Path, turns: tuple[str, ...], width: int, height: int) -> list[Line]:
    """The chart of the live screen over some turns of a recording."""
    session = Session()
    with Recording(path) as recording:
        wanted = [phase for phase in phases_of(recording) if phase.side in turns]
        first_ns = wanted[0].begin_ns - BEFORE_NS
        for frame in turns_only(recording.frames(0, recording.number_at(wanted[-1].end_ns))):
            session.fold(frame)
    count = canvas_cells(width)
    begin_ns, end_ns = aligned(session.now_ns, session.now_ns - max(first_ns, session.started_ns), count)
    marked = Marked()
    marked.take(session.explained)
    latency = session.worst[Span.SERVICE].columns(begin_ns, end_ns, count)
    view = HistoryView(
        span_ns=end_ns - begin_ns,
        latency=latency,
        headroom={node: series.columns(begin_ns, end_ns, count) for node, series in session.memory.items()},
        page_bytes=session.host.page_bytes if session.host else 4096,
        threshold_ns=session.settings.threshold_ns,
        marks=marked.columns(latency, Span.SERVICE, session.settings.threshold_ns),
    )
    return history(view, width, height, UNICODE)


def bars(out: Path, picture: Picture) -> list[Line]:
    """A bar per turn: the kernel's count; beside it how wlat told the writes apart, below what it said of the last one."""
    rows: list[Line] = []
    with turns(Collected(KERNEL, out), picture.chapter) as sides:
        for name in picture.turns:
            turn = sides[name]
            pages = turn.events[ALLOCATED] / turn.events[WRITES]
            bar = "\u2588" * round(pages / MOST_PAGES * BAR_CELLS)
            kinds = f"{turn.writes(WriteClass.NEW_PAGE):>5} new-page {turn.writes(WriteClass.PREPARED):>5} prepared"
            rows += [
                (),
                ((f" {name:<28}", "heading"), (f"{bar:<{BAR_CELLS + 2}}", "good"), (f"{pages:>4.1f}", ""), (kinds, "label")),
            ]
    said = [text for text in Collected(KERNEL, out).facts(picture.chapter)["warnings"] if picture.turns[-1] in text]
    words = [line for text in said for line in textwrap.wrap(text.partition("in force: ")[2], WIDTH - 6)]
    return [*rows, (), *(((f"   {line}", "warn"),) for line in words)]


class Chart(App[None]):
    """A title and lines, to be photographed."""

    def __init__(self, title: str, lines: list[Line]) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        yield Static(id="chart")

    def on_mount(self) -> None:
        styles = role_styles(self)
        text = Text(f" {self._title}\n", style="bold")
        for line in self._lines:
            for words, role in line:
                text.append(words, styles.get(role, ""))
            text.append("\n")
        self.query_one(Static).update(text)


async def suspects(recordings: Path, picture: Picture) -> str:
    """Who disturbs, as the replay says at the end of the last turn."""
    source = ReplaySource(Recording(recordings / f"{picture.chapter}.wlat"), stay_open=True)
    end_ns = max(phase.end_ns for phase in phases_of(source.recording) if phase.side in picture.turns)
    source.go_on_at(source.recording.number_at(end_ns) - 1)
    source.pause()
    app = WlatApp(source, ascii=False, low_bandwidth=False)
    try:
        async with app.run_test(size=SCREEN) as pilot, asyncio.timeout(PATIENCE_S):
            while not app.session.frames:
                await asyncio.sleep(0.1)
            await pilot.press("w")
            await asyncio.sleep(REDRAW_S)
            await pilot.pause()
            svg = app.export_screenshot(title="wlat replays a guest with two nodes")
    finally:
        await source.close()
    return re.sub(r"(/[\w.+-]+)+/bin/python", "python", svg)  # where it is installed is nobody's business


async def lines_of(recordings: Path, picture: Picture) -> str:
    """A chart or bars."""
    if picture.chapter == "nodes":
        lines = bars(recordings, picture)
    else:
        lines = chart(recordings / f"{picture.chapter}.wlat", picture.turns, WIDTH, HEIGHT - 2)
    app = Chart(picture.title, lines)
    async with app.run_test(size=(WIDTH, len(lines) + 2)) as pilot:
        await pilot.pause()
        return app.export_screenshot(title="wlat in a guest with two nodes")


async def draw(name: str, recordings: Path, target: Path) -> None:
    """One SVG, and a PNG where rsvg-convert is installed."""
    picture = STORY[name]
    svg = target / f"story-{name}.svg"
    taken = await (suspects if picture.chapter == "slabinfo" else lines_of)(recordings, picture)
    svg.write_text(retouched(taken), encoding="utf-8")
    if shutil.which("rsvg-convert"):
        png = svg.with_suffix(".png")
        subprocess.run(["rsvg-convert", "--width", str(PNG_WIDTH), "--output", png, svg], check=True)
        if shutil.which("pngquant"):
            subprocess.run(["pngquant", "--force", "--ext", ".png", "--strip", png], check=True)
    print(svg, file=sys.stderr)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Make the story's pictures in a guest with two nodes.")
    parser.add_argument("names", nargs="*", choices=[*STORY, []], help="only these (default: all)")
    parser.add_argument("--to", type=Path, default=HERE, help="directory for the pictures (default: beside this file)")
    parser.add_argument("--keep", type=Path, help="leave the recordings in this directory, which must not exist")
    parser.add_argument("--from", dest="source", type=Path, help="draw from these recordings instead of booting a guest")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        out = options.source or options.keep or Path(scratch) / "out"
        if options.source is None:
            record(out)
        for name in options.names or STORY:
            asyncio.run(draw(name, out, options.to))


if __name__ == "__main__":
    main()
