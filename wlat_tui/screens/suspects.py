"""Who disturbs the write path, and what cannot be seen here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from textwrap import wrap
from typing import ClassVar

from textual.binding import Binding

from wlat_tui.causes import blind_causes
from wlat_tui.evidence import TraceLevel
from wlat_tui.mitigations import Mitigation
from wlat_tui.mitigations.watch_opens import WatchOpens
from wlat_tui.model.blame import Blame
from wlat_tui.model.session import Session
from wlat_tui.model.suspects import Suspect, sentence
from wlat_tui.renderables.glyphs import Glyphs
from wlat_tui.renderables.line import Line, Role, merged
from wlat_tui.screens.lines import LinesScreen
from wlat_tui.units import format_ns

_SHOWN = 20


class SuspectsScreen(LinesScreen):
    """Suspects with a sentence each; blind causes and watches with the command that helps."""

    BINDINGS: ClassVar = [
        Binding("escape,q,w,enter", "dismiss", "Close"),
        Binding("o", "opens", "Readers in containers", tooltip="Trace every open() to name readers in containers; at a cost"),
    ]
    hint = "Up Down  scroll   o  readers in containers   Esc  close"

    def __init__(self, session: Session, glyphs: Glyphs, open_mitigation: Callable[[Mitigation], None]) -> None:
        super().__init__(session, glyphs)
        self._open_mitigation = open_mitigation
        self._blame = Blame()

    def action_opens(self) -> None:
        self._open_mitigation(WatchOpens())

    def lines(self, width: int) -> Iterable[Line]:
        ranked = self._session.suspects.ranked()
        self._blame.take(self._session.explained)
        yield (("Who disturbs the write path", "heading"),)
        yield (("A stall that somebody overlapped need not be their fault; the stall itself says what was traced.", "label"),)
        yield ()
        if ranked:
            yield ((_row(("who", "did", "to", "count", "stalls", "of them", "spent"), width), "label"),)
        for suspect in ranked[:_SHOWN]:
            yield from self._suspect(suspect, width)
        if len(ranked) > _SHOWN:
            yield ((f"  and {len(ranked) - _SHOWN} more", "dim"),)
        if not ranked:
            yield (("  nobody was seen so far", "dim"),)
        yield ()
        yield from self._blind(width)

    def _suspect(self, suspect: Suspect, width: int) -> Iterator[Line]:
        who = "wlat itself" if suspect.own else suspect.by.comm or f"pid {suspect.by.pid}"
        guilty = not suspect.own and self._blame.stalls_of(suspect.kind, suspect.what, suspect.by.comm)
        role: Role = "warn" if guilty else "dim" if suspect.own or not suspect.stalls else ""
        count = f"{suspect.count:,}" if suspect.kind != "dirtied" else ""
        met = format_ns(suspect.stalled_ns) if suspect.stalls else "-"
        cells = (who, suspect.kind, suspect.what, count, f"{suspect.stalls:,}", met, format_ns(suspect.spent_ns))
        yield ((_row(cells, width), role),)
        if not suspect.own:
            text = sentence(suspect, self._session.suspects.stall_count, self._session.elapsed_ns)
            if guilty:
                text += f" {guilty:,} are put down to it."
            yield from (((f"    {line}", "" if suspect.stalls else "dim"),) for line in wrap(text, max(20, width - 4)))

    def _blind(self, width: int) -> Iterator[Line]:
        yield (("What cannot be seen here", "heading"),)
        tracer, watches = self._session.tracer, self._session.watches
        if tracer is None:
            yield (("  the writer is not traced: every cause is told from counters, as far as they go", "warn"),)
        blind = blind_causes(tracer)
        if blind:
            names = ", ".join(cause.title for cause in blind)
            yield from (((f"  {line}", ""),) for line in wrap(f"causes: {names}", max(20, width - 2)))
            if tracer is not None and tracer.why:
                yield from (((f"  {line}", "label"),) for line in wrap(f"because {tracer.why}", max(20, width - 2)))
        if blind and tracer is not None and tracer.level is TraceLevel.FULL and not tracer.deep:
            yield merged([("  what helps: ", "label"), ("x", "heading"), (" looks closer for a while (deep trace)", "")])
        if tracer is not None and tracer.fix:
            yield merged([("  what helps: ", "label"), (tracer.fix, "heading")])
        gone = [watch for watch in watches or () if not watch.armed]
        for watch in gone:
            yield from (((f"  {line}", ""),) for line in wrap(f"{watch.name}: {watch.why or 'not here'}", max(20, width - 2)))
            if watch.fix and (tracer is None or watch.fix != tracer.fix):
                yield merged([("    what helps: ", "label"), (watch.fix, "heading")])
        if watches is None:
            yield (("  disturbances by others: nothing looks for them", "dim"),)
        if tracer is not None and not blind and not gone:
            yield (("  nothing that wlat knows of", "good"),)


def _row(cells: tuple[str, str, str, str, str, str, str], width: int) -> str:
    """Who, did, to, count, stalls, of them, spent; the last two give way where there is no room."""
    who, did, to, count, stalls, of_them, spent = cells
    text = f"  {who[:15]:<16}{did[:9]:<10}{to[:18]:<19}{count:>8}{stalls:>8}{of_them:>9}{spent:>9}"
    return text if width >= len(text) else text[:-9] if width >= len(text) - 9 else text[:-18]
