"""Whether opens are traced to name readers in containers: mitigates nothing, but is chosen and taken back the same way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wlat_tui.mitigations import Choice, Unavailable, one_line
from wlat_tui.sources import ChangeSettings, Request

if TYPE_CHECKING:
    from wlat_tui.model.session import Session


class WatchOpens:
    name = "watch_opens"
    title = "Readers in containers"
    why = (
        "Who reads slabinfo, zoneinfo, buddyinfo or pagetypeinfo is told by marks on these files, which cost nobody anything. "
        "A container has a proc filesystem of its own, without marks: kernel probes see its readers, and where the kernel has "
        "none, only a filter on the calls that open files does. It tells who opened which file, not how long it was read."
    )
    expect = "Such readers appear in the list of who disturbs the writer (w) when they open the file the next time."
    caution = (
        "While it is on, every system call of every process on this host takes the kernel's traced path, 5 to 40 ns more "
        "each, and every open() takes 100 to 400 ns more ('wlat bench suspects' measures it here). It ends with wlat, however "
        "that ends. The watcher is started anew to switch it: nobody is named for about a second."
    )
    knob = None

    def choices(self, session: Session) -> tuple[Choice, ...]:
        return (
            Choice("off", "as always", "marks and kernel probes only: no cost to others"),
            Choice("on", "trace opens", "a perf event on sys_enter_openat, open and openat2 of every CPU, filtered by path"),
        )

    def current(self, session: Session) -> str | None:
        return "on" if session.settings.watch_opens else "off"

    def unavailable(self, session: Session) -> Unavailable | None:
        """Never: what the kernel refuses is told by the watch itself."""
        return None

    def request(self, value: str, session: Session) -> Request:
        value, now = one_line(value), self.current(session)
        if value not in ("off", "on"):
            raise ValueError(f"'{value[:40]}' is not one of off and on")
        return ChangeSettings(
            replace(session.settings, watch_opens=value == "on"), self.name, f"{self.title}: {now} -> {value}"
        )
