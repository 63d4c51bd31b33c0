"""One stall, opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from platformdirs import user_state_path
from textual.binding import Binding

from wlat_tui.causes import Advice
from wlat_tui.model.session import Session
from wlat_tui.model.stalls import Explained
from wlat_tui.pictures import save_new
from wlat_tui.renderables.glyphs import ASCII, Glyphs
from wlat_tui.renderables.line import Line, merged, plain
from wlat_tui.renderables.stall_report import lines, markdown, switches
from wlat_tui.screens.lines import LinesScreen

_COPY_CELLS = 110


class StallScreen(LinesScreen):
    """Phases to scale, call chains, context, advice, neighbours; walks through the list it was opened from."""

    BINDINGS: ClassVar = [
        Binding("escape,q,enter", "dismiss", "Close", tooltip="Close the stall"),
        Binding("n,right", "step(1)", "Next", tooltip="The next stall of the list"),
        Binding("N,p,left", "step(-1)", "Previous", tooltip="The previous stall of the list"),
        Binding("y", "copy(False)", "Copy", tooltip="Copy it as text; also saved as a file, for terminals that cannot copy"),
        Binding("Y,m", "copy(True)", "Copy as Markdown", tooltip="Copy it as Markdown; also saved as a file"),
        *(
            Binding(digit, f"advice({digit})", "Open a switch", tooltip="Open the switch with this number", priority=True)
            for digit in "123456789"
        ),
    ]
    hint = "n N  next, previous   y Y  copy, as Markdown   1-9  switch   Esc"

    def __init__(
        self,
        stall: Explained,
        listed: Sequence[Explained],
        session: Session,
        glyphs: Glyphs,
        open_switch: Callable[[Advice], None],
        directory: Path | None = None,
    ) -> None:
        super().__init__(session, glyphs)
        self._listed = tuple(listed)
        self._at = next((i for i, one in enumerate(self._listed) if one is stall), 0)
        self._wall_offset_ns = session.wall_ns - session.now_ns
        self._open_switch = open_switch
        self._directory = directory or user_state_path("wlat") / "stalls"

    @property
    def stall(self) -> Explained:
        """The one that is shown."""
        return self._listed[self._at]

    @property
    def _wall(self) -> datetime:
        return datetime.fromtimestamp((self.stall.write.end_ns + self._wall_offset_ns) / 1e9, UTC).astimezone()

    def lines(self, width: int) -> Iterable[Line]:
        yield merged([(f"Stall {self._at + 1} of {len(self._listed)}", "label")])
        yield from lines(self.stall, f"{self._wall:%H:%M:%S.%f}", self.stall.advice(), width, self._glyphs)

    def action_step(self, step: int) -> None:
        self._at = max(0, min(len(self._listed) - 1, self._at + step))
        self.redraw(self.size.width)
        self.query_one("#text").scroll_home(animate=False)

    def action_copy(self, as_markdown: bool) -> None:
        when = f"{self._wall:%Y-%m-%d %H:%M:%S.%f}"
        advice = self.stall.advice()
        if as_markdown:
            text = markdown(self.stall, when, advice)
        else:
            text = "\n".join(plain(line).rstrip() for line in lines(self.stall, when, advice, _COPY_CELLS, ASCII)) + "\n"
        self.app.copy_to_clipboard(text)
        try:
            stem = f"stall-{self._wall:%Y%m%d-%H%M%S}"
            path = save_new(self._directory, stem, text, ".md" if as_markdown else ".txt")
        except OSError as error:
            self.notify(f"Sent to the terminal's clipboard; it could not be saved: {error}", severity="warning", markup=False)
            return
        # a terminal does not say whether it allows copying
        self.notify(f"Sent to the terminal's clipboard, and saved as {path}", markup=False)

    def action_advice(self, number: int) -> None:
        offered = switches(self.stall.advice())
        if number <= len(offered):
            self._open_switch(offered[number - 1])
