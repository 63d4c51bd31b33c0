"""Ends a run when enough stalls were caught, and says what they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from wlat_tui.model.blame import Blame
from wlat_tui.model.session import Session
from wlat_tui.model.stalls import Explained
from wlat_tui.renderables.line import plain
from wlat_tui.renderables.stall_row import columns_for, stall_row, titles
from wlat_tui.renderables.suspect_line import suspect_lines

_CELLS = 118
_LISTED = 30


class StopAfter:
    """A follower that ends the run after *count* stalls in write(), once they are explained; late wakes do not count.

    Traces, and the counters around a stall, come later than the stall; on a slow host much later.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._last_ns: int | None = None

    def take(self, session: Session) -> str | None:
        stalls = session.headline().stalls
        if stalls < self._count:
            return None
        if self._last_ns is None:  # those that come later are not waited for: in a storm there would be no end
            self._last_ns = max((stall.planned_ns for stall in session.stalls), default=0)
        if any(planned_ns <= self._last_ns for planned_ns in session.awaiting_verdict):
            return None
        return f"{stalls:,} stall{'s' * (stalls != 1)} caught"

    async def close(self) -> None:
        """Nothing runs."""


def caught(session: Session) -> list[str]:
    """The stalls in write() of a run, one line each, late wakes by their causes, and the one to stop."""
    headline = session.headline()
    lines = [f"{headline.stalls:,} stall{'s' * (headline.stalls != 1)} in write() and {headline.late_wakes:,} late wakes"]
    slow = [one for one in session.explained if one.write.service_ns > one.circumstances.settings.threshold_ns]
    if slow:
        lines += _listed(slow, session)
    late = Counter(
        one.cause.title for one in session.explained if one.write.service_ns <= one.circumstances.settings.threshold_ns
    )
    if late:
        whole = "" if late.total() == headline.late_wakes else f" (the last {late.total():,})"
        lines.append(f"late wakes{whole}: " + ", ".join(f"{title} {count:,}" for title, count in late.most_common()))
    blame = Blame()
    blame.take(session.explained)
    told = suspect_lines(blame.worst(), session.suspects.ranked(), "-", session.now_ns)
    lines += [plain(line).strip() for line in told[:1]]
    return lines


def _listed(slow: Sequence[Explained], session: Session) -> Iterator[str]:
    """Titles and the last of them."""
    offset_ns = session.wall_ns - session.now_ns
    nodes = {cpu: shape.node for shape in session.host.nodes for cpu in shape.cpus} if session.host is not None else {}
    columns = columns_for(_CELLS, len(set(nodes.values())) > 1)
    yield plain(titles(columns)).rstrip()
    if len(slow) > _LISTED:
        yield f"   the last {_LISTED}:"
    for one in slow[-_LISTED:]:
        at = datetime.fromtimestamp((one.write.end_ns + offset_ns) / 1e9, UTC).astimezone()
        yield plain(stall_row(one, columns, f"{at:%H:%M:%S}", nodes.get(one.write.cpu))).rstrip()
