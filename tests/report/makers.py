"""Recordings for reports: the demo's story, and one from somebody who wishes ill."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tests.model.makers import START, a_frame, a_write
from tests.sessions.makers import scripted
from wlat_tui.evidence import Disturbance, Thread
from wlat_tui.frame import Frame, KnobState, Mark, Target, WriteClass
from wlat_tui.report.digest import Digest

TOLD = tuple(scripted(5 * 140))
HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>&lt;b&gt;\x1b[2J\u202e\udcff"


def digest_of(frames: list[Frame], facts: dict[str, object] | None = None) -> Digest:
    digest = Digest(frames[0].begin_ns, frames[-1].end_ns, facts or {}, "made.wlat")
    for frame in frames:
        digest.take(frame)
    digest.end()
    return digest


def hostile_frames() -> list[Frame]:
    """Every text that a recording can bring is an attack."""
    frames = list(TOLD[: 5 * 40])
    target = Target(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, None, None)
    first = frames[0]
    assert first.host is not None
    frames[0] = replace(
        first,
        host=replace(
            first.host, hostname=HOSTILE, kernel=HOSTILE, clocksource=HOSTILE, mglru=HOSTILE, target=target, cpu=HOSTILE
        ),
        notices=(HOSTILE,),
        knobs={HOSTILE: KnobState(HOSTILE, HOSTILE)},
    )
    by = Thread(7, HOSTILE, HOSTILE, HOSTILE, 3, HOSTILE)
    for i in range(20, 200, 20):
        frame = frames[i]
        frames[i] = replace(
            frame,
            marks=(Mark(frame.begin_ns, "applied", HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
            disturbances=(Disturbance("read", HOSTILE, by, frame.begin_ns, frame.end_ns),),
        )
    return frames


@cache
def story() -> Digest:
    """The demo's whole story, with all its toggles. Shared: not to be changed."""
    return digest_of(list(TOLD))


@cache
def hostile() -> Digest:
    """Shared: not to be changed."""
    return digest_of(hostile_frames(), {"wlat": HOSTILE, "source": HOSTILE, "ended": {"reason": HOSTILE}})


def a_few_writes() -> list[Frame]:
    """Two writes, no host, no nodes: next to nothing is known."""
    writes = [a_write(START + i * 1_000, 500 + i, WriteClass.NEW_PAGE) for i in range(2)]
    return [a_frame(0, writes), a_frame(1, None, writer_missing="the disk is full")]
