"""What can be switched on this host, and what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len

from wlat_tui.mitigations import Mitigation, Unavailable
from wlat_tui.model.changes import Change
from wlat_tui.model.session import Session
from wlat_tui.panels.panel import HALF_AS_OFTEN_NS
from wlat_tui.panels.rows import RowsPanel
from wlat_tui.renderables.line import Line, Role, Span, fit, merged

_SHARED_ROWS = 3


class MitigationsPanel(RowsPanel):
    """A row per mitigation; Enter opens its dialog. Nothing is changed from here."""

    title: ClassVar[str] = "Mitigations"
    rest_ns: ClassVar[int] = HALF_AS_OFTEN_NS
    key: ClassVar[str] = "3"
    help: ClassVar[str] = (
        "Settings that make stalls rarer, or worse. Enter explains one and shows exactly what it would write; only then "
        "it can be applied. Everything is put back when wlat ends."
    )

    class Chosen(RowsPanel.Activated):
        """The user wants to see this mitigation's dialog."""

        def __init__(self, panel: MitigationsPanel, mitigation: Mitigation) -> None:
            super().__init__(panel)
            self.mitigation = mitigation

    def __init__(self, mitigations: Sequence[Mitigation], read_only: str | None, *, id: str) -> None:
        super().__init__(id=id)
        self._mitigations = mitigations
        self._read_only = read_only
        self._states: list[tuple[str | None, str | None, Unavailable | None]] = []
        self._changes: list[Change] = []
        self._told: str | None = None
        self._drawn: list[Line] = []
        self._drawn_for: tuple[object, ...] = ()

    @property
    def row_count(self) -> int:
        """Rows that the panel would like to have."""
        return len(self._mitigations)

    def named(self, name: str) -> Mitigation | None:
        """The listed mitigation of this name."""
        return next((mitigation for mitigation in self._mitigations if mitigation.name == name), None)

    def take(self, session: Session) -> None:
        self._states = []
        for mitigation in self._mitigations:
            knob = session.knobs.get(mitigation.knob.name) if mitigation.knob is not None else None
            self._states.append(
                (mitigation.current(session), None if knob is None else knob.original, mitigation.unavailable(session))
            )
        self._changes = session.changes

    @property
    def _shared(self) -> str | None:
        """The reason that keeps most settings from being changed; told once, in the heading."""
        if self._read_only is not None:
            return f"read-only: {self._read_only}"
        counted = Counter(state.reason for _, _, state in self._states if state is not None and not state.refused)
        reason, count = counted.most_common(1)[0] if counted else ("", 0)
        return reason if count >= _SHARED_ROWS else None

    def remark(self) -> Line:
        if (shared := self._shared) is not None:
            room = self.outer_size.width - len(self.title) - 10
            return merged([*fit(((shared, "warn"),), min(room, cell_len(shared)), self.glyphs.ellipsis)])
        changed = sum(original is not None and original != current for current, original, _ in self._states)
        if changed:
            return ((f"{changed} changed, put back on quit", "notice"),)
        return (("Enter explains, then applies", "label"),)

    def rows(self, width: int) -> list[Line]:
        if not self._states:
            return [((" nothing was read yet", "dim"),)]
        drawn_for = (self._states, width)
        if drawn_for != self._drawn_for:
            self._told = self._shared
            self._drawn = [self._row(m, *state, width) for m, state in zip(self._mitigations, self._states, strict=True)]
            self._drawn_for = drawn_for
        return self._drawn.copy()

    def activate(self, item: int) -> None:
        if item < len(self._states):
            self.post_message(self.Chosen(self, self._mitigations[item]))

    def footer(self, width: int, height: int) -> list[Line]:
        """Before and after of the newest changes."""
        if not self._changes or height < 4:
            return []
        room = 1 if height < 10 else 3
        lines: list[Line] = []
        for change in self._changes[-room:]:
            mark = change.mark
            name = f" {mark.name} {mark.before or '?'} {self.glyphs.arrow} {mark.after or '?'}: "
            lines.append(merged([(name, "mark"), (change.text, "" if change.enough else "dim")]))
        return lines

    def _row(
        self, m: Mitigation, current: str | None, original: str | None, unavailable: Unavailable | None, width: int
    ) -> Line:
        title_cells = max(18, min(34, width // 3))
        changed = original is not None and original != current
        role: Role = "notice" if changed else ""
        spans: list[Span] = [
            (f" {self.glyphs.bullet if changed else ' '} ", "notice"),
            (f"{m.title[:title_cells]:<{title_cells}} ", "dim" if unavailable and not unavailable.refused else ""),
            ("n/a" if current is None else current, "dim" if current is None else role),
        ]
        if changed:
            spans.append((f"  was {original}", "label"))
        if unavailable is not None and unavailable.refused:
            spans.append((f"  {self.glyphs.separator} not in force: {unavailable.reason}", "warn"))
        elif unavailable is not None and unavailable.reason != self._told and self._read_only is None:
            spans.append((f"  {self.glyphs.separator} {unavailable.reason}", "dim"))
        return merged(spans)
