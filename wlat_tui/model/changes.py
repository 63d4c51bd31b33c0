"""What a toggle did: equal spans of writes before and after it.

The span after grows tick by tick; the span before grows with it, backwards from the mark, so that at any moment both are
equally long: a maximum over thirty seconds and one over three cannot be compared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from wlat_tui.frame import Mark, Prewarm, Span, WriteClass, WriterTick
from wlat_tui.histogram import Histogram
from wlat_tui.model.percentiles import KEPT_NS, Quantiles, quantiles, span_ns
from wlat_tui.units import format_ns

SETTLE_NS = 1_000_000_000
"""Left out after a mark: the change itself (a moved thread, a woken kswapd) is not its effect."""
ENOUGH_PAGES = 300
"""Page-beginning writes each side needs: three lie above its p99 then."""


@dataclass(frozen=True, slots=True)
class Change:
    """Service time before and after one mark, over spans of equal length (about a second after the mark is left out)."""

    mark: Mark
    span_ns: int
    """Length of each of the two spans so far."""
    before: Quantiles | None
    after: Quantiles | None
    pages_before: Quantiles | None
    """Only writes that began a page (new-page and prepared): the ones that reclaim can hit."""
    pages_after: Quantiles | None
    enough: bool
    """Both sides have `ENOUGH_PAGES` writes that began a page."""
    done: bool
    """It will not grow any more."""
    text: str
    """One line: the figures with their counts, or "not enough data yet (n of m writes)"."""


class _Side:
    """Service times of one side."""

    def __init__(self) -> None:
        self.length_ns = 0
        self._all, self._pages = Histogram(), Histogram()
        self._worst_ns: int | None = None

    def add(self, tick: WriterTick) -> None:
        self.length_ns += tick.end_ns - tick.begin_ns
        for delta in tick.histograms:
            if delta.span is Span.SERVICE:
                self._all.add(delta)
                if delta.write_class is not WriteClass.IN_PAGE:
                    self._pages.add(delta)
        worst = tick.worst[Span.SERVICE]
        if worst is not None:
            self._worst_ns = max(self._worst_ns or 0, span_ns(worst, Span.SERVICE))

    def read(self) -> tuple[Quantiles | None, Quantiles | None]:
        """Of all writes, and of those that began a page."""
        return quantiles(self._all, self._worst_ns), quantiles(self._pages, None)


class _Open:
    """A change whose after side may still grow; it keeps the ticks before the mark until then."""

    def __init__(self, mark: Mark, ticks_before: list[WriterTick]) -> None:
        self.mark = mark
        self._ticks_before = ticks_before  # oldest first, eaten from the end
        self._limit_ns = sum(tick.end_ns - tick.begin_ns for tick in ticks_before)
        self._before, self._after = _Side(), _Side()
        self._waiting: str | None = None
        self.done = not ticks_before

    def add(self, tick: WriterTick, asked: Prewarm) -> None:
        """Count one tick after the mark, and as much before it."""
        if tick.begin_ns < self.mark.at_ns + SETTLE_NS:
            return
        if tick.precursor.method != asked and not tick.refused.get("prewarm"):
            self._waiting = "waiting for the next segment: prewarming changes there"
            return
        self._waiting = None
        self._after.add(tick)
        while self._ticks_before and self._before.length_ns < self._after.length_ns:
            self._before.add(self._ticks_before.pop())
        self.done = self._after.length_ns >= self._limit_ns

    def read(self) -> Change:
        """The figures as they stand."""
        before, pages_before = self._before.read()
        after, pages_after = self._after.read()
        fewest = min(pages.count if pages is not None else 0 for pages in (pages_before, pages_after))
        text = self._shortfall(fewest)
        if fewest >= ENOUGH_PAGES and before and after and pages_before and pages_after:
            text = (
                f"new-page p99 {format_ns(pages_before.p99_ns)} -> {format_ns(pages_after.p99_ns)}, "
                f"worst {format_ns(before.max_ns)} -> {format_ns(after.max_ns)} ({before.count:,} | {after.count:,} writes)"
            )
        return Change(
            mark=self.mark,
            span_ns=min(self._before.length_ns, self._after.length_ns),
            before=before,
            after=after,
            pages_before=pages_before,
            pages_after=pages_after,
            enough=fewest >= ENOUGH_PAGES,
            done=self.done,
            text=text,
        )

    def _shortfall(self, fewest: int) -> str:
        if self._limit_ns == 0:
            return "nothing was measured before it"
        if self._waiting is not None and not self.done:
            return self._waiting
        yet = "" if self.done else " yet"
        return f"not enough data{yet} ({fewest} of {ENOUGH_PAGES} new-page writes)"


class Changes:
    """Folds marks and ticks into changes. Only the newest can be open: the next mark ends it."""

    def __init__(self) -> None:
        self._closed: deque[Change] = deque(maxlen=100)
        self._open: _Open | None = None
        self._last_mark_ns: int | None = None

    def add_tick(self, tick: WriterTick, asked: Prewarm) -> None:
        """Count one tick; *asked* is the prewarm method the settings ask for."""
        if self._open is not None and not self._open.done:
            self._open.add(tick, asked)

    def add_mark(self, mark: Mark, recent: Iterable[WriterTick]) -> None:
        """Begin a change. A foreign change of a knob ends the open one too; a note and the phase of an experiment do not."""
        if mark.kind in ("note", "phase"):
            return
        if self._open is not None:
            self._open.done = True
            self._closed.append(self._open.read())
            self._open = None
        begin_ns = mark.at_ns - KEPT_NS
        if self._last_mark_ns is not None:
            begin_ns = max(begin_ns, self._last_mark_ns + SETTLE_NS)
        self._last_mark_ns = mark.at_ns
        if mark.kind in ("applied", "restored"):
            ticks = [tick for tick in recent if tick.begin_ns >= begin_ns and tick.end_ns <= mark.at_ns]
            self._open = _Open(mark, ticks)

    def read(self) -> list[Change]:
        """All changes kept, newest last."""
        return [*self._closed, *([self._open.read()] if self._open is not None else [])]
