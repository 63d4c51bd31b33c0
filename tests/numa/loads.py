"""What gets into a writer's way in a guest: so much to look at in vain that making room takes many times what write() does.

Where everything can be reclaimed, room for a page is made within a millisecond, which an emulated CPU takes for write() itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.causes.experiments import Load, reclaiming_locally
from tests.causes.rig import MIB, Rig

LIMIT_BYTES = 6 * MIB
"""What a hundred pages a second reach soon."""
GROUPS = 2000
REWRITTEN_EVERY_MS = 500
DIRTY_BYTES = 200 * MIB
NAMES = 100_000
SLOW = Path("/slow")
VM = Path("/proc/sys/vm")
RECLAIM_MODE, MIN_UNMAPPED = VM / "zone_reclaim_mode", VM / "min_unmapped_ratio"


@contextlib.contextmanager
def limited(rig: Rig, *, high: bool = False) -> Iterator[list[int]]:
    """The limit of a slice with many groups in it, such as a host of containers has: reclaim looks into each of them."""
    with rig.memory_limit(LIMIT_BYTES, high=high, beside=GROUPS):
        yield []


def above_high(rig: Rig) -> contextlib.AbstractContextManager[list[int]]:
    return limited(rig, high=True)


@contextlib.contextmanager
def amid_dirty_pages(rig: Rig) -> Iterator[list[int]]:
    """zone_reclaim_mode 1 on a node that is full: of memory in use, and of pages that a slow disk has yet to take."""
    before = RECLAIM_MODE.read_text(), MIN_UNMAPPED.read_text()
    try:
        with (
            everything_may_be_dirty(),
            rig.hurting("dirty", SLOW, DIRTY_BYTES, REWRITTEN_EVERY_MS) as dirtying,
            rig.hurting("occupy", rig.writer_cpu, 0) as occupied,
        ):
            # also when little of the cache is unmapped
            MIN_UNMAPPED.write_text("0")
            RECLAIM_MODE.write_text("1")
            yield [*dirtying, *occupied]
    finally:
        RECLAIM_MODE.write_text(before[0])
        MIN_UNMAPPED.write_text(before[1])


@contextlib.contextmanager
def amid_names(rig: Rig) -> Iterator[list[int]]:
    """zone_reclaim_mode 7 on a node full of clean pages and of names, of which each round of reclaim frees a part.

    Amid dirty pages this mode would take everybody's programs, as it takes what is mapped.
    """
    with (
        rig.hurting("look_up", rig.writer_cpu, rig.directory, NAMES) as looking,
        reclaiming_locally(7)(rig) as filling,
    ):
        yield [*looking, *filling]


@contextlib.contextmanager
def everything_may_be_dirty() -> Iterator[None]:
    """Nobody is throttled for dirty pages; write-out begins soon."""
    knobs = {VM / "dirty_ratio": "100", VM / "dirty_background_bytes": str(MIB)}
    before = {path: path.read_text() for path in knobs}
    try:
        for path, value in knobs.items():
            path.write_text(value)
        yield
    finally:
        for path, value in before.items():
            path.write_text(value)


INSTEAD: Mapping[str, Load] = {
    "memory limit": limited,
    "memory.high": above_high,
    "node reclaim, mode 1": amid_dirty_pages,
    "node reclaim, mode 7": amid_names,
}
"""Experiment of tests/causes -> load at the pace of an emulated CPU."""
