"""Going from stall to stall in a recording of a busy host, where thousands of writes only came late."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.model.makers import a_frame, a_write, at
from tests.sessions.makers import recorded
from wlat_tui.frame import UNRECORDED_LATE_WAKES, Frame, Settings, Write
from wlat_tui.sessions.places import late_wakes, stall_beside
from wlat_tui.sessions.recording import Recording

MS = 1_000_000


def a_stalled_frame(i: int, stalls: Sequence[Write], settings: Settings | None = None, left_out: int = 0) -> Frame:
    losses = {UNRECORDED_LATE_WAKES: left_out} if left_out else {}
    frame = a_frame(i, list(stalls), settings=settings, losses=losses)
    assert frame.writer is not None
    return replace(frame, writer=replace(frame.writer, stalls=tuple(stalls), stall_count=len(stalls) + left_out))


def late(i: int) -> Write:
    return replace(a_write(at(i), 20_000), planned_ns=at(i) - 5 * MS)


def test_late_wakes_are_passed_over_on_the_way_to_the_next_stall_by_the_threshold_of_the_time(tmp_path: Path) -> None:
    frames = [a_stalled_frame(i, [late(i)], left_out=3) for i in range(20)]
    frames[0] = a_stalled_frame(0, [late(0)], Settings(threshold_ns=1 * MS), 3)
    frames[4] = a_stalled_frame(4, [late(4), a_write(at(4), 2 * MS)])
    frames[10] = a_stalled_frame(10, [a_write(at(10), 2 * MS)], Settings(threshold_ns=3 * MS))
    frames[15] = a_stalled_frame(15, [a_write(at(15), 4 * MS)])
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        assert [stall_beside(recording, number, 1) for number in (0, 4, 15)] == [4, 15, None]
        assert [stall_beside(recording, number, -1) for number in (19, 15, 4)] == [15, 4, None]
        assert late_wakes(recording) == 17 + 1 + 1 + 17 * 3
        assert late_wakes(recording, 15) == 4 * (1 + 3)


def test_where_there_is_nothing_else_late_wakes_are_gone_to(tmp_path: Path) -> None:
    frames = [a_stalled_frame(i, [late(i)] if i in (3, 7) else []) for i in range(10)]
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        assert [stall_beside(recording, number, 1) for number in (0, 3, 7)] == [3, 7, None]
        assert stall_beside(recording, 7, -1) == 3
