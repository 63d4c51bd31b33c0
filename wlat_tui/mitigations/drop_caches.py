"""vm.drop_caches: empty the page cache, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice, Unavailable
from wlat_tui.sources import DropCaches as Request

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class DropCaches:
    name = "drop_caches"
    title = "Drop page cache"
    why = (
        "Frees every clean page of cache at once, so that the nodes start out empty. A way to begin a comparison, not a "
        "remedy. Source: fs/drop_caches.c."
    )
    expect = "Free memory jumps up on every node; new-page writes have no reclaim to meet until it is used up again."
    caution = (
        "Cannot be undone: every program on the host reads its files from disk again, prepared segments are lost, and walking "
        "the inodes can itself stall the host for seconds."
    )
    knob = None
    confirm = "Drop the page cache of the whole host? Every program will read from disk again."
    """The question to ask before the request is made."""

    def choices(self, session: Session) -> tuple[Choice, ...]:
        return (Choice("1", "drop now", "write 1 to /proc/sys/vm/drop_caches"),)

    def current(self, session: Session) -> str | None:
        """An action has no value."""
        return None

    def unavailable(self, session: Session) -> Unavailable | None:
        state = session.knobs.get(self.name)
        if state is None:
            return Unavailable("not known yet whether the page cache may be dropped here", None)
        return None if state.unavailable is None else Unavailable(state.unavailable, state.fix)

    def request(self, value: str, session: Session) -> Request:
        if value.strip() != "1":
            raise ValueError("dropping the page cache takes only 1: clean pages")
        return Request()
