"""How causes are marked: one letter and one colour per family, the same in lists, bars and charts.

The letter carries the meaning by itself, so that pictures without colour say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wlat_tui.causes import Family
from wlat_tui.frame import Span
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.series import Column
from wlat_tui.model.stalls import Explained
from wlat_tui.renderables.line import Role

FAMILY_MARKS: Mapping[Family, tuple[str, Role]] = {
    Family.MEMORY: ("M", "memory"),
    Family.LOCK: ("L", "lock"),
    Family.FILESYSTEM: ("F", "filesystem"),
    Family.SCHEDULER: ("S", "scheduler"),
    Family.INTERRUPT: ("I", "interrupt"),
    Family.HOST: ("H", "host"),
    Family.UNKNOWN: ("?", "worst"),
}
FAMILY_WORDS: Mapping[Family, str] = {**{family: family.value for family in Family}, Family.UNKNOWN: "unexplained"}


class Marked:
    """Which family each stall's length belongs to: the worst of a column is the exact length of one write."""

    def __init__(self) -> None:
        self._families: dict[Span, dict[int, Family]] = {span: {} for span in Span}
        self._newest: Explained | None = None

    def take(self, explained: Sequence[Explained]) -> None:
        """Learn the stalls that are new."""
        new: list[Explained] = []
        for one in reversed(explained):
            if one is self._newest:
                break
            new.append(one)
        if not new:
            return
        self._newest = new[0]
        gone = len(new) == len(explained) or len(self._families[Span.SERVICE]) > 2 * len(explained)
        for span, families in self._families.items():
            if gone:
                families.clear()
            families.update((span_ns(one.write, span), one.cause.family) for one in (explained if gone else reversed(new)))

    def columns(self, columns: Iterable[Column | None], span: Span, threshold_ns: int) -> dict[int, Family]:
        """Number of a column whose worst is over the threshold -> its family, where it is known."""
        known = self._families[span]
        return {
            x: known[column.max_ns]
            for x, column in enumerate(columns)
            if column is not None and column.max_ns is not None and column.max_ns > threshold_ns and column.max_ns in known
        }


def families_in(marks: Mapping[int, Family]) -> list[Family]:
    """The families that are marked, in their own order."""
    present = set(marks.values())
    return [family for family in Family if family in present]
