"""Every stall with its cause, and what the stalls cost in all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from wlat_tui.causes import cause_named
from wlat_tui.evidence import TraceLevel, Tracer
from wlat_tui.frame import Write
from wlat_tui.model.blame import Blame
from wlat_tui.model.session import Session
from wlat_tui.model.stalls import Explained, TopCause
from wlat_tui.panels.panel import HALF_AS_OFTEN_NS
from wlat_tui.panels.rows import RowsPanel
from wlat_tui.renderables.causes import FAMILY_MARKS
from wlat_tui.renderables.line import Line, Span, first_fitting, fit, merged, width_of
from wlat_tui.renderables.stall_row import Columns, columns_for, stall_row, titles
from wlat_tui.renderables.suspect_line import suspect_lines
from wlat_tui.units import format_ns

ORDERS = ("newest", "slowest", "cause")
IN_WRITE = "in write()"
"""Stands in the filter for every cause, but without late wakes."""


class StallsPanel(RowsPanel):
    """A row per stall; Enter opens it."""

    title: ClassVar[str] = "Stalls"
    rest_ns: ClassVar[int] = HALF_AS_OFTEN_NS
    key: ClassVar[str] = "5"
    help: ClassVar[str] = (
        "Every write over the threshold, newest first, named after the cause that took most of it. class wake: write() itself "
        "was quick, but began late. why: how much of the time is explained; a ~ before the cause means that it only coincided. "
        "Enter opens one, n and N walk through them, / shows one cause only, o sorts. The first row sums up what each cost."
    )

    class Opened(RowsPanel.Activated):
        """The user wants to see this stall."""

        def __init__(self, panel: StallsPanel, stall: Explained) -> None:
            super().__init__(panel)
            self.stall = stall

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self.order = ORDERS[0]
        self.only: str | None = None
        """Name of the one cause that is shown, or `IN_WRITE`; None: all."""
        self._all: Sequence[Explained] = ()
        self._listed: list[Explained] = []
        self._top_causes: list[TopCause] = []
        self._tracer: Tracer | None = None
        self._threshold_ns = 0
        self._wall_offset_ns = 0
        self._cpu_nodes: dict[int, int] = {}
        self._counts = (0, 0)
        self._taken_from: Session | None = None
        self._drawn: dict[int, Line] = {}
        self._rows: list[Line] | None = None
        """Of what is listed now; None: still to be made."""
        self._drawn_for: Columns | None = None
        self._pointed_at: Write | None = None
        self._blame = Blame()
        self._suspect: list[Line] = []

    @property
    def listed(self) -> Sequence[Explained]:
        """The stalls as they are listed, filtered and sorted."""
        return self._listed

    @property
    def top_causes(self) -> Sequence[TopCause]:
        """What the first row adds up."""
        return self._top_causes

    def take(self, session: Session) -> None:
        before, self._all = self._all, tuple(session.explained)
        same = session is self._taken_from and len(before) == len(self._all) and before[-1:] == self._all[-1:]
        if session is not self._taken_from:
            self._taken_from, self._drawn = session, {}
        self._top_causes = session.top_causes
        self._tracer = session.tracer
        self._threshold_ns = session.settings.threshold_ns
        self._wall_offset_ns = session.wall_ns - session.now_ns
        self._counts = session.stall_count, session.stalls_passed_over
        self._blame.take(session.explained)
        blamed = self._blame.worst()
        ranked = () if blamed is None else session.suspects.ranked()
        self._suspect = suspect_lines(blamed, ranked, self.glyphs.separator, session.now_ns)
        if session.host is not None:
            self._cpu_nodes = {cpu: shape.node for shape in session.host.nodes for cpu in shape.cpus}
        if not same or self._pointed_at is not None:
            self._list()

    def point_at(self, write: Write) -> None:
        """Put the cursor on this stall as soon as it is listed."""
        self._pointed_at = write

    def show_only(self, cause: str | None) -> None:
        """Filter by one cause's name, or show all again."""
        self.only, self.cursor = cause, 0
        self._list()
        self.redraw()

    def next_order(self) -> str:
        """Sort in the next way; returns its name."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self.cursor = 0
        self._list()
        self.redraw()
        return self.order

    def _list(self) -> None:
        """Filter and sort; the cursor stays on its stall, unless it follows the newest at the top."""
        self._rows = None
        held = self._listed[self.cursor] if 0 < self.cursor < len(self._listed) else None
        found = [one for one in self._all if self._wanted(one)]
        found.reverse()
        if self.order == "slowest":
            found.sort(key=lambda one: -one.verdict.span_ns)
        elif self.order == "cause":
            found.sort(key=lambda one: one.cause.title)
        self._listed = found
        pointed = next((i for i, one in enumerate(found) if one.write == self._pointed_at), None)
        if pointed is not None:
            self.cursor, self._pointed_at = pointed, None
        elif held is not None:
            self.cursor = next((i for i, one in enumerate(found) if one.write == held.write), self.cursor)

    def _wanted(self, one: Explained) -> bool:
        if self.only == IN_WRITE:
            return one.write.service_ns > one.circumstances.settings.threshold_ns
        return self.only is None or one.verdict.cause == self.only

    @property
    def _only_title(self) -> str:
        return "" if self.only is None else IN_WRITE if self.only == IN_WRITE else cause_named(self.only).title

    def remark(self) -> Line:
        spans: list[Span] = []
        if self.only is not None:
            spans += [("only ", "label"), (self._only_title, "notice"), (" (/)", "label")]
            spans += [(f" {self.glyphs.separator} ", "label")]
        spans += [(f"{self.order} first" if self.order != "cause" else "by cause", "label")]
        kept, (count, passed_over) = len(self._all), self._counts
        if count > kept and kept and count - passed_over > kept + 4:
            spans += [(f" {self.glyphs.separator} last {kept:,}", "label")]
        if self._tracer is None or self._tracer.level < TraceLevel.FULL:
            spans += [(f" {self.glyphs.separator} ", "label"), ("partly blind (w)", "warn")]
        return merged(spans)

    def header(self, width: int, height: int) -> list[Line]:
        lines: list[Line] = []
        if self._top_causes and height >= 3:
            lines.append(self._strip(width))
        if self._listed and height >= 6:
            lines.append(titles(self._columns(width)))
        return lines

    def footer(self, width: int, height: int) -> list[Line]:
        """Whom to stop."""
        return [first_fitting(self._suspect, width, self.glyphs.ellipsis)] if self._suspect and height >= 4 else []

    def rows(self, width: int) -> list[Line]:
        if not self._listed:
            return self._nothing(width)
        columns = self._columns(width)
        if columns != self._drawn_for:
            self._drawn_for, self._drawn, self._rows = columns, {}, None
        if self._rows is not None:
            return self._rows.copy()
        before = self._drawn
        # a row never changes: only those of new stalls are made
        self._drawn = {
            one.write.planned_ns: before.get(one.write.planned_ns)
            or stall_row(one, columns, self._wall(one), self._cpu_nodes.get(one.write.cpu))
            for one in self._listed
        }
        self._rows = list(self._drawn.values())
        return self._rows.copy()

    def cursor_cells(self, width: int) -> int:
        return super().cursor_cells(width) if self._listed else 0

    def activate(self, item: int) -> None:
        if item < len(self._listed):
            self.post_message(self.Opened(self, self._listed[item]))

    def _columns(self, width: int) -> Columns:
        return columns_for(width, len(set(self._cpu_nodes.values())) > 1)

    def _wall(self, one: Explained) -> str:
        at = datetime.fromtimestamp((one.write.end_ns + self._wall_offset_ns) / 1e9, UTC).astimezone()
        return f"{at:%H:%M:%S}"

    def _strip(self, width: int) -> Line:
        """What each cause cost, as many as fit."""
        spans: list[Span] = []
        for number, top in enumerate(self._top_causes):
            letter, role = FAMILY_MARKS[top.cause.family]
            worst = f", worst {format_ns(top.worst_ns)}" if width >= 100 or number == 0 else ""
            part: list[Span] = [
                (f" {letter} " if not spans else f"   {letter} ", role),
                (top.cause.title, "" if self.only in (None, IN_WRITE, top.cause.name) else "dim"),
                (f" {top.count:,}x {format_ns(top.total_ns)}{worst}", "label"),
            ]
            if width_of((*spans, *part)) > width - (0 if number == len(self._top_causes) - 1 else 9):
                spans.append((f"   +{len(self._top_causes) - number} (/)", "label"))
                break
            spans += part
        return merged(spans)

    def _nothing(self, width: int) -> list[Line]:
        """Why the list is empty, and what could be seen here."""
        if self.only is not None:
            return [((f" no stall of these ({self._only_title}) among those kept; / shows the others", "dim"),)]
        limit = format_ns(self._threshold_ns)
        waiting = self._counts[0] > 0
        first = " the newest stall is being explained" if waiting else f" no write took longer than {limit} so far"
        lines: list[Line] = [((first, "dim"),)]
        tracer = self._tracer
        if tracer is None:
            return [*lines, ((" the writer is not traced: causes are told from counters only", "dim"),)]
        armed = sum(probe.armed for probe in tracer.probes if not probe.deep)
        count = sum(not probe.deep for probe in tracer.probes)
        lines.append(
            ((f" watching {armed} of {count} kernel events; w says who disturbs, and what cannot be seen here", "dim"),)
        )
        if tracer.level < TraceLevel.FULL and tracer.why is not None:
            helps = f"; what helps: {tracer.fix}" if tracer.fix else ""
            wordings: list[Line] = [((f" {tracer.why}{helps}", "warn"),), ((f" {tracer.why}", "warn"),)]
            lines.append(first_fitting(wordings, width, self.glyphs.ellipsis))
        return [fit(line, width, self.glyphs.ellipsis) for line in lines]
