"""Whom to stop, on one line."""

from __future__ import annotations

from collections.abc import Iterable

from wlat_tui.evidence import Disturbance
from wlat_tui.model.blame import Blamed
from wlat_tui.model.suspects import HARM, Suspect, name_of
from wlat_tui.renderables.line import Line
from wlat_tui.units import format_ns

_DOES = {"read": "reads {}", "write": "writes to {}", "fsync": "syncs {}", "dirtied": "dirties {}", "hook": "hooks {}"}
QUIET_NS = 10_000_000_000
_STOP = ("read", "write")
"""What nobody needs to do; the others are somebody's work, to be looked at."""


def suspect_lines(blamed: Blamed | None, ranked: Iterable[Suspect], separator: str, now_ns: int) -> list[Line]:
    """Who is to blame for most stalled time, why, and what it cost, the longest wording first; empty: nobody is."""
    if blamed is None:
        return []
    doing = blamed.doing
    found = _suspect(doing, ranked)
    target = doing.by if found is None else found.to_stop
    verb = "Stop" if doing.kind in _STOP else "See"
    does = _DOES[doing.kind].format(doing.what) + _last_seen(now_ns - (doing.end_ns if found is None else found.last_ns))
    where = f" in {target.container}" if target.container else ""
    harm = HARM.get(doing.what.rpartition("/")[2])
    because = f", which {harm}" if harm else ""
    plainly = ", and write() has to wait for it" if harm else ""
    cost = f"{blamed.stalls:,}x {blamed.cause.title}, {format_ns(blamed.total_ns)}"
    short = target.comm or name_of(target)
    wordings = (
        f"{verb} {name_of(target)} (pid {target.pid}){where}: it {does}{because}. It cost {cost}",
        f"{verb} {short} (pid {target.pid}): it {does}{because}. It cost {cost}",
        f"{verb} {name_of(target)} (pid {target.pid}): it {does}{plainly} {separator} {cost}",
        f"{verb} {short} (pid {target.pid}): it {does}{plainly} {separator} {cost}",
        f"{verb} {name_of(target)} (pid {target.pid}): it {does} {separator} {cost}",
        f"{verb} {short} (pid {target.pid}): it {does} {separator} {cost}",
        f"{verb} {short} ({target.pid}): {doing.kind} {doing.what.rpartition('/')[2]} {separator} {cost}",
    )
    return [((f" {text}", "notice"),) for text in wordings]


def _last_seen(ago_ns: int) -> str:
    """Where it has long been quiet: it may be gone by now. In steps, so that the line does not change at every frame."""
    if ago_ns < QUIET_NS:
        return ""
    ago_s = ago_ns // QUIET_NS * (QUIET_NS // 1_000_000_000)
    return f" (last {ago_s}s ago)" if ago_s < 120 else f" (last {ago_s // 60}min ago)"


def _suspect(doing: Disturbance, ranked: Iterable[Suspect]) -> Suspect | None:
    """All that was seen of the same: it knows the parent that starts a new reader each time."""
    by = doing.by
    same = (suspect for suspect in ranked if (suspect.kind, suspect.what) == (doing.kind, doing.what))
    return next((s for s in same if s.by == by or (s.by.comm, s.by.parent_pid) == (by.comm, by.parent_pid)), None)
