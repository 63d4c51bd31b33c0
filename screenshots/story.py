"""Make the story's pictures of nodes: a chapter of the tests, played in a guest with two nodes, drawn from its recording.

.venv/bin/python screenshots/story.py            # boots the guest (QEMU, no KVM needed): minutes
.venv/bin/python screenshots/story.py --from DIR # draws again from the recordings that --keep DIR left
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from picture import retouched
from rich.text import Text
from textual.app import App, ComposeResult
from textual.widgets import Static

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from tests.numa.shows import two_nodes  # noqa: E402  (the tests are not installed)
from wlat_tui.experiment.outcome import phases_of  # noqa: E402
from wlat_tui.frame import Frame, Span  # noqa: E402
from wlat_tui.model.phases import KIND, WARM_UP  # noqa: E402
from wlat_tui.model.series import aligned  # noqa: E402
from wlat_tui.model.session import Session  # noqa: E402
from wlat_tui.renderables.causes import Marked  # noqa: E402
from wlat_tui.renderables.glyphs import UNICODE  # noqa: E402
from wlat_tui.renderables.history import HistoryView, canvas_cells, history  # noqa: E402
from wlat_tui.renderables.line import Line  # noqa: E402
from wlat_tui.sessions.recording import Recording  # noqa: E402
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
}
WIDTH, HEIGHT = 110, 26
PNG_WIDTH = 1400
BEFORE_NS = 8_000_000_000
"""Shown before the first turn is measured: its loads take effect then."""
BOOTED_S = 1800


def record(out: Path) -> None:
    """Play the chapters in one guest. Raises SystemExit when none can be booted here."""
    guest = two_nodes("6.12", "ext4")
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


class Chart(App[None]):
    """A title and a chart, to be photographed."""

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


async def draw(name: str, recording: Path, target: Path) -> None:
    """One SVG, and a PNG where rsvg-convert is installed."""
    app = Chart(STORY[name].title, chart(recording, STORY[name].turns, WIDTH, HEIGHT - 2))
    async with app.run_test(size=(WIDTH, HEIGHT)) as pilot:
        await pilot.pause()
        svg = target / f"story-{name}.svg"
        svg.write_text(retouched(app.export_screenshot(title="wlat in a guest with two nodes")), encoding="utf-8")
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
            asyncio.run(draw(name, out / f"{STORY[name].chapter}.wlat", options.to))


if __name__ == "__main__":
    main()
