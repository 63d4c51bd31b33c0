"""Who goes with the causes of stalls: a suspect that not only overlapped stalls, but did what brings their cause about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wlat_tui.causes import Cause
from wlat_tui.evidence import Disturbance
from wlat_tui.model.stalls import Explained

KINDS = ("read", "write", "fsync", "dirtied", "hook")
"""What somebody can be asked to leave off; that kswapd runs is a consequence."""
MOST = 200


@dataclass(frozen=True, slots=True)
class Blamed:
    """One program's doing, and the stalls that are put down to it."""

    doing: Disturbance
    """The newest."""
    cause: Cause
    """Of the newest stall."""
    stalls: int
    total_ns: int


class Blame:
    """Adds up explained stalls by who is to blame for them; counts each once."""

    def __init__(self) -> None:
        self._blamed: dict[tuple[object, ...], Blamed] = {}
        self._newest: Explained | None = None

    def take(self, explained: Sequence[Explained]) -> None:
        """Learn the stalls that are new. Another run's stalls (a jump in a recording) are counted afresh."""
        new: list[Explained] = []
        for one in reversed(explained):
            if one is self._newest:
                break
            new.append(one)
        else:
            self._blamed.clear()
        self._newest = new[0] if new else self._newest
        for one in reversed(new):
            self._add(one)

    def worst(self) -> Blamed | None:
        """Who cost most; None: nobody is to blame for anything."""
        return max(self._blamed.values(), key=lambda blamed: blamed.total_ns, default=None)

    def stalls_of(self, kind: str, what: str, comm: str) -> int:
        """How many stalls are put down to this."""
        return sum(b.stalls for key, b in self._blamed.items() if key[:3] == (kind, what, comm))

    def _add(self, one: Explained) -> None:
        doing = one.suspect
        if doing is None or doing.own or doing.kind not in KINDS:
            return
        key = (doing.kind, doing.what, doing.by.comm, doing.by.container, doing.by.parent_pid)
        before = self._blamed.pop(key, None)
        while len(self._blamed) >= MOST:
            del self._blamed[min(self._blamed, key=lambda known: self._blamed[known].total_ns)]
        stalls, total_ns = (0, 0) if before is None else (before.stalls, before.total_ns)
        self._blamed[key] = Blamed(doing, one.cause, stalls + 1, total_ns + one.verdict.span_ns)
