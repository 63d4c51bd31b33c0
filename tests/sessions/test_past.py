"""A session that begins in the middle of a recording knows what one that folded everything knows."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sessions.makers import recorded, scripted, sessions, sorted_buckets
from wlat_tui.frame import Frame, HistogramDelta, Settings, Span, WriteClass
from wlat_tui.model.past import Digest
from wlat_tui.model.percentiles import Quantiles
from wlat_tui.model.series import MemoryColumn
from wlat_tui.model.session import Session
from wlat_tui.sessions import digests, store
from wlat_tui.sessions.past import session_at
from wlat_tui.sessions.recording import Recording

FIXTURES = Path(__file__).parent / "fixtures"
FEW = Settings(interval_ns=2_000_000)
"""Making writes up is what costs."""


def folded(frames: Iterable[Frame]) -> Session:
    session = Session()
    for frame in frames:
        session.fold(frame)
    return session


def exactly_known(session: Session) -> list[object]:
    """What a jump must not change."""
    return [
        session.frames,
        session.started_ns,
        session.now_ns,
        session.writes,
        session.skipped_slots,
        session.error_slots,
        session.stall_count,
        session.late_wakes,
        dict(session.losses),
        list(session.stalls),
        list(session.marks),
        list(session.notices),
        list(session.gaps),
        session.writer,
        session.settings,
        session.knobs,
        session.host,
        [session.worst_ever(span) for span in Span],
        [(span, kind, session.window(span, kind)) for span in Span for kind in (None, *WriteClass)],
        [state.headroom_pages for state in session.nodes.values()],
    ]


def causes(session: Session) -> dict[str, int]:
    return {top.cause.name: top.count for top in session.top_causes}


def doings(session: Session) -> list[tuple[str, str, int, int]]:
    return sorted((one.what, one.by.comm, one.count, one.stalls) for one in session.suspects.ranked())


def test_what_stalls_were_named_after_and_who_was_seen_is_of_the_whole_time(tmp_path: Path) -> None:
    frames = [sorted_buckets(frame) for frame in scripted(300)]
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        for number in (200, 299):
            jumped, whole = session_at(recording, number), folded(frames[: number + 1])
            seam_ns = frames[(number - 59) // 60 * 60].begin_ns if number >= 60 else 0
            at_the_seam = sum(0 < seam_ns - stall.end_ns < 2 * 10**9 for stall in whole.stalls)
            missing = {name: count - causes(jumped).get(name, 0) for name, count in causes(whole).items()}
            assert all(count >= 0 for count in missing.values())
            assert sum(missing.values()) <= at_the_seam
            assert sum(causes(jumped).values()) > 1
            assert doings(jumped) == doings(whole) != []


def near(a: Quantiles | None, b: Quantiles | None) -> bool:
    if a is None or b is None:
        return a is b
    figures = ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "p9999_ns", "max_ns")
    return a.count == b.count and all(
        getattr(a, name) == pytest.approx(getattr(b, name), rel=0.017, abs=40) for name in figures
    )


def same(jumped: Session, whole: Session) -> None:
    for one, other in zip(exactly_known(jumped), exactly_known(whole), strict=True):
        assert one == other
    for span in Span:
        for kind in (None, *WriteClass):
            assert near(jumped.whole(span, kind), whole.whole(span, kind)), (span, kind)


@pytest.mark.parametrize("scenario", ["told", "trouble", "gap", "no_writer"])
def test_after_a_jump_everything_counted_since_the_start_is_there(tmp_path: Path, scenario: str) -> None:
    frames = [sorted_buckets(frame) for frame in scripted(60 * 5 + 20, scenario, settings=FEW)]  # type: ignore[arg-type]
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        for number in (0, 59, 60, 200, len(frames) - 1):
            same(session_at(recording, number), folded(frames[: number + 1]))


@settings(max_examples=25, deadline=None)
@given(sessions(), st.data())
def test_a_jump_into_any_session_is_like_having_watched_it(frames: list[Frame], data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(frames) - 1))
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as scratch:
        patch.setattr(store, "BLOCK_FRAMES", 3)
        patch.setattr(store, "TOTAL_EVERY", 2)
        with Recording(recorded(Path(scratch) / "a.wlat", frames, each=2)) as recording:
            jumped, whole = session_at(recording, number, lead_ns=10_000_000_000), folded(frames[: number + 1])
    same(jumped, whole)


def columns(session: Session, span_s: int, count: int) -> Sequence[object]:
    end_ns = session.now_ns
    begin_ns = end_ns - span_s * 10**9
    drawn: list[object] = []
    for span in Span:
        drawn += [(c.max_ns, c.has_gap, c.write_class) for c in session.worst[span].columns(begin_ns, end_ns, count)]
    return drawn


def test_the_chart_after_a_jump_is_the_chart_of_the_whole(tmp_path: Path) -> None:
    frames = [sorted_buckets(frame) for frame in scripted(520, settings=FEW)]
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        jumped, whole = session_at(recording, 500), folded(frames[:501])
        assert columns(jumped, 60, 100) == columns(whole, 60, 100)
        begin_ns, end_ns = whole.started_ns, whole.now_ns
        for node in (0, 1):
            one = jumped.memory[node].columns(begin_ns, end_ns, 6)
            other = whole.memory[node].columns(begin_ns, end_ns, 6)
            assert [c.has_data for c in one] == [c.has_data for c in other]
            assert least(one) == least(other)


def least(columns: Sequence[MemoryColumn]) -> int:
    return min(c.headroom_pages for c in columns if c.headroom_pages is not None)


def test_a_recording_of_an_older_wlat_is_added_up_once_and_left_as_it_was() -> None:
    path = FIXTURES / "version-1.0.wlat"
    before = path.read_bytes()
    with Recording(path) as recording:
        frames = list(recording.frames())
        recording.add_digests()
        same(session_at(recording, 11), folded(frames))
    assert path.read_bytes() == before


def test_counts_that_do_not_fit_a_bucket_are_kept() -> None:
    def counted(digest: Digest) -> Counter[int]:
        counts: Counter[int] = Counter()
        for index, count in struct.iter_unpack("=II", digest.histograms[0].buckets):
            counts[index] += count
        return counts

    total, most = digests.Sum(), 2**32 - 1
    full = HistogramDelta(Span.SERVICE, WriteClass.IN_PAGE, struct.pack("=8I", 5_001, most, 5_000, most, 5_002, 7, 40, 1))
    total.count(full)
    total.count(full)
    read = digests.unpack_digest(digests.pack_digest(total.read()))
    assert counted(read) == {48: 2, 5_008: 4 * most + 14}
    again = digests.Sum()
    again.add(read)
    assert counted(again.read()) == counted(read)
