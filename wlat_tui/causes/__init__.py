"""Why a write() was slow: one cause per file, listed here once, and the verdict that is made of them.

Causes are read by the model and drawn by screens; they know frames and evidence only, so a recording of any age is explained
by the causes known today.
"""

from __future__ import annotations

from wlat_tui.causes import tracer_gap, unexplained
from wlat_tui.causes.cause import Advice, Blame, Cause, Family
from wlat_tui.causes.circumstances import Circumstances, NodeAround
from wlat_tui.causes.phases import Confidence, Phase, Share, Verdict

CATALOGUE: tuple[Cause, ...] = (
    tracer_gap.CAUSE,
    unexplained.CAUSE,
)
"""Every cause, in the order lists show them."""

_BY_NAME = {cause.name: cause for cause in CATALOGUE}
COUNTERS: tuple[str, ...] = tuple(sorted({name for cause in CATALOGUE for name in cause.counters}))
"""Beginnings of the /proc/vmstat rows that causes ask for."""


def cause_named(name: str) -> Cause:
    """The cause of this name. Raises KeyError."""
    return _BY_NAME[name]


# the verdict needs the catalogue above
from wlat_tui.causes.verdict import blind_causes, explain  # noqa: E402

__all__ = [
    "CATALOGUE",
    "COUNTERS",
    "Advice",
    "Blame",
    "Cause",
    "Circumstances",
    "Confidence",
    "Family",
    "NodeAround",
    "Phase",
    "Share",
    "Verdict",
    "blind_causes",
    "cause_named",
    "explain",
]
