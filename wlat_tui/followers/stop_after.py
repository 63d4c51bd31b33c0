"""Ends a run when enough stalls were caught, and says what they were."""

from __future__ import annotations

from datetime import UTC, datetime

from wlat_tui.model.blame import Blame
from wlat_tui.model.session import Session
from wlat_tui.renderables.line import plain
from wlat_tui.renderables.stall_row import columns_for, stall_row, titles
from wlat_tui.renderables.suspect_line import suspect_lines

_PATIENCE_FRAMES = 8
"""The last stall is waited for so long: its trace, and the counters around it, come later than the stall itself."""
_CELLS = 118
_LISTED = 30


class StopAfter:
    """A follower that ends the run after *count* stalls in write(); late wakes do not count."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._frames = 0

    def take(self, session: Session) -> str | None:
        stalls = session.headline().stalls
        if stalls < self._count:
            return None
        self._frames += 1
        newest = session.stalls[-1] if session.stalls else None
        explained = bool(session.explained) and session.explained[-1].write == newest
        if explained or self._frames > _PATIENCE_FRAMES:
            return f"{stalls:,} stall{'s' * (stalls != 1)} caught"
        return None

    async def close(self) -> None:
        """Nothing runs."""


def caught(session: Session) -> list[str]:
    """The stalls of a run, one line each, the causes and the one to stop."""
    headline = session.headline()
    lines = [f"{headline.stalls:,} stalls in write() and {headline.late_wakes:,} late wakes"]
    explained = list(session.explained)[-_LISTED:]
    if not explained:
        return lines
    offset_ns = session.wall_ns - session.now_ns
    nodes = {cpu: shape.node for shape in session.host.nodes for cpu in shape.cpus} if session.host is not None else {}
    columns = columns_for(_CELLS, len(set(nodes.values())) > 1)
    lines.append(plain(titles(columns)).rstrip())
    for one in explained:
        at = datetime.fromtimestamp((one.write.end_ns + offset_ns) / 1e9, UTC).astimezone()
        lines.append(plain(stall_row(one, columns, f"{at:%H:%M:%S}", nodes.get(one.write.cpu))).rstrip())
    if len(session.explained) > len(explained):
        lines.insert(2, f"   the last {len(explained)}:")
    blame = Blame()
    blame.take(session.explained)
    told = suspect_lines(blame.worst(), session.suspects.ranked(), "-", session.now_ns)
    lines += [plain(line).strip() for line in told[:1]]
    return lines
