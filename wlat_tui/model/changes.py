"""What a toggle did: equal spans of writes before and after it."""

from __future__ import annotations

from dataclasses import dataclass

from wlat_tui.frame import Mark
from wlat_tui.model.percentiles import Quantiles


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
    """Both sides can resolve the p99 of page-beginning writes."""
    done: bool
    """It will not grow any more."""
    text: str
    """One line: the figures with their counts, or "not enough data yet (n of m writes)"."""
