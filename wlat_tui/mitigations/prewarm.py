"""Prewarming: a second thread prepares the pages of the next segment."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from wlat_tui.frame import Prewarm as Method
from wlat_tui.mitigations import Choice, Unavailable
from wlat_tui.mitigations.writer_setting import WriterSetting
from wlat_tui.units import parse_size_bytes

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

_EFFECTS = {
    Method.FALLOCATE: "fallocate() the next segment: blocks on disk, but every page is still allocated inside write()",
    Method.READ: "read the next segment in: pages are there, on ext4 their buffer heads are still allocated inside write()",
    Method.WRITE: "overwrite the next segment in small pieces: pages and buffer heads are there, write() allocates nothing",
}

_NOT_LOCKED = (
    "not all prepared pages could be locked in memory (limit on locked memory): under pressure they may be reclaimed before "
    "they are used"
)


class Prewarm(WriterSetting):
    name = "prewarm"
    title = "Prewarm"
    why = (
        "A write() that starts a new page allocates it, and may have to reclaim memory for it; on ext4 it also allocates "
        "buffer heads. The precursor does that in another thread, on the next segment, before the writer gets there. Source: "
        "mm/filemap.c __filemap_get_folio, fs/buffer.c create_empty_buffers; counted on 6.18: new pages 1613 -> 0, buffer "
        "heads 1613 -> 0."
    )
    expect = (
        "New-page writes disappear, prepared ones take their place and behave like in-page writes; reclaim moves to the "
        "precursor."
    )
    caution = (
        "Every record page is first written as zeros, and up to two distances of page cache are locked in memory. Where the "
        "limit on locked memory forbids that, pages may be reclaimed before they are used and are then read back from the disk "
        "inside write(), far slower than without prewarming (see 'resident'). Keep the distance short: seconds, not minutes."
    )
    refusals = (("prewarm", "the precursor cannot prepare segments this way here", None),)

    def unavailable(self, session: Session) -> Unavailable | None:
        refused = 0 if session.writer is None else session.writer.refused.get("prewarm", 0)
        if refused in (errno.ENOMEM, errno.EPERM, errno.EAGAIN):  # what mlock(2) says at its limit
            return Unavailable(_NOT_LOCKED, "ulimit -l unlimited  # in a root shell, then start wlat there", refused=True)
        return super().unavailable(session) or _astray(session)

    def choices(self, session: Session) -> tuple[Choice, ...]:
        bytes_now = session.settings.prewarm_bytes
        pairs = [(method, bytes_now) for method in _EFFECTS]
        pairs += [(Method.WRITE, size) for size in (1 << 20, 4 << 20, 16 << 20) if size != bytes_now]
        ahead = (Choice(_value(*pair), f"{pair[0].name.lower()}, {_size(pair[1])} ahead", _EFFECTS[pair[0]]) for pair in pairs)
        return (Choice("off", "off", "stop the precursor; every segment starts empty"), *ahead)

    def current(self, session: Session) -> str:
        return _value(session.settings.prewarm, session.settings.prewarm_bytes)

    def parse(self, value: str, session: Session) -> dict[str, Any]:
        """``off``, ``write``, ``write 32M``, or ``32M`` alone to change the distance only."""
        words = value.lower().split()
        method = session.settings.prewarm
        if words and words[0].upper() in Method.__members__:
            method = Method[words.pop(0).upper()]
        elif not words or not words[0][0].isdigit():
            raise ValueError(
                f"'{value[:40]}' is not a way to prewarm: give off, fallocate, read or write, and a distance: 'write 4M'"
            )
        if not words:
            return {"prewarm": method}
        size = parse_size_bytes(" ".join(words))
        if size <= 0:
            raise ValueError("the distance must be more than 0 bytes; to stop prewarming choose off")
        return {"prewarm": method, "prewarm_bytes": size}


def _astray(session: Session) -> Unavailable | None:
    """Prepared, but in the wrong place: then every prepared write goes to another node's memory."""
    tick = session.writer
    if tick is None or not tick.precursor.placed_pages or not tick.precursor.astray_pages:
        return None
    placed, astray = tick.precursor.placed_pages, tick.precursor.astray_pages
    if 2 * astray <= placed:
        return None
    why = (
        f"{astray} of {placed} prepared pages looked at are not on node {tick.node}, where the writer runs: the memory policy "
        "sends them elsewhere, or that node is full"
    )
    return Unavailable(why, None, refused=True)


def _size(size: int) -> str:
    for unit, scale in (("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)):
        if size % scale == 0:
            return f"{size // scale}{unit}"
    return str(size)


def _value(method: Method, size: int) -> str:
    return "off" if method is Method.OFF else f"{method.name.lower()} {_size(size)}"
