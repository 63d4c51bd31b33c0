"""The long recording that benchmarks read is like one that was recorded: time goes on in it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from tests.sessions.makers import recorded, scripted, sorted_buckets
from wlat_tui.bench.long_recording import repeat
from wlat_tui.frame import Span
from wlat_tui.model.session import Session
from wlat_tui.sessions.past import session_at
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.store import BLOCK_FRAMES

FRAMES = [sorted_buckets(frame) for frame in scripted(2 * BLOCK_FRAMES)]


def test_every_turn_is_the_same_frames_at_later_times(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", FRAMES, each=BLOCK_FRAMES)
    repeat(path, 3)
    with Recording(path) as recording:
        frames = list(recording.frames())
        jumped = session_at(recording, len(frames) - 1)
    assert len(frames) == 3 * len(FRAMES)
    assert frames[: len(FRAMES)] == FRAMES
    whole = Session()
    for frame in frames:
        whole.fold(frame)
    for before, after in pairwise(frames):
        assert after.begin_ns == before.end_ns
        assert after.writer is not None
        assert before.writer is not None
        assert (after.writer.begin_ns, after.writer.seq) == (before.writer.end_ns, before.writer.seq + 1)
        worst = after.writer.worst[Span.SERVICE]
        assert worst is not None
        assert after.begin_ns <= worst.begin_ns
    third = frames[2 * len(FRAMES) + 7]
    assert replace(third, begin_ns=0, end_ns=0, wall_ns=0, writer=None, disturbances=()) == replace(
        FRAMES[7], begin_ns=0, end_ns=0, wall_ns=0, writer=None, disturbances=()
    )
    assert jumped.writes == whole.writes
    assert jumped.stall_count == whole.stall_count
    assert list(jumped.stalls) == list(whole.stalls)
    assert jumped.worst_ever(Span.SERVICE) == whole.worst_ever(Span.SERVICE)
    assert jumped.window(Span.SERVICE) == whole.window(Span.SERVICE)
    assert not whole.losses
