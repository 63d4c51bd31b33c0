"""A recording replays what was recorded: the same frames, the same session, whole or from anywhere in it."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from tests.sessions.makers import recorded, scripted, sessions, sorted_buckets
from wlat_tui.frame import Frame, Span, WriteClass
from wlat_tui.model.session import Session
from wlat_tui.sessions import recording as recording_module
from wlat_tui.sessions.blocks import unpack_block
from wlat_tui.sessions.compact import GROUP, compact_buckets, compact_frame
from wlat_tui.sessions.migrations import migrate
from wlat_tui.sessions.recording import Recording, read_version
from wlat_tui.sessions.schema import MAJOR, MINOR, SECTIONS, SessionError
from wlat_tui.sessions.store import BLOCK_FRAMES, Store

FIXTURES = Path(__file__).parent / "fixtures"


def everything_shown(frames: Iterable[Frame]) -> list[object]:
    """Whatever a panel could draw of a session that folded these frames."""
    session = Session()
    for frame in frames:
        session.fold(frame)
    spans = [(session.whole(span, kind), session.window(span, kind)) for span in Span for kind in (None, *WriteClass)]
    worst = [(session.worst_ever(span), session.worst_window(span)) for span in Span]
    begin_ns, end_ns = session.started_ns, session.now_ns
    series = [session.worst[span].columns(begin_ns, end_ns, 50) for span in Span] if end_ns > begin_ns else []
    memory = [(node, part.columns(begin_ns, end_ns, 50)) for node, part in session.memory.items()]
    lists: list[object] = [list(session.notices), list(session.marks), list(session.gaps), list(session.stalls)]
    held = [session.host, session.settings, session.knobs, session.vmstat, session.pressure, session.cost, session.losses]
    now = [
        session.headline(),
        session.nodes,
        session.rate_per_s,
        session.stall_count,
        session.skipped_slots,
        session.writer_missing,
    ]
    return [spans, worst, series, memory, lists, session.writes, session.changes, held, now]


@settings(max_examples=25, deadline=None)
@given(sessions())
def test_what_is_folded_from_a_recording_is_what_was_folded_live(frames: list[Frame]) -> None:
    with TemporaryDirectory() as scratch, Recording(recorded(Path(scratch) / "a.wlat", frames)) as recording:
        assert everything_shown(recording.frames()) == everything_shown(frames)


@pytest.mark.parametrize("scenario", ["told", "degraded", "trouble", "gap", "no_writer", "inflight"])
def test_whole_sessions_replay_as_they_were(tmp_path: Path, scenario: str) -> None:
    frames = scripted(BLOCK_FRAMES + 27, scenario)  # type: ignore[arg-type]
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        assert list(recording.frames()) == [sorted_buckets(frame) for frame in frames]
        assert everything_shown(recording.frames()) == everything_shown(frames)


def test_a_recording_can_be_read_from_anywhere(tmp_path: Path) -> None:
    frames = [sorted_buckets(frame) for frame in scripted(150)]
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        assert (len(recording), recording.span_ns) == (150, (frames[0].begin_ns, frames[-1].end_ns))
        for first, end in ((0, 1), (63, 66), (64, 128), (149, 200), (150, None)):
            assert list(recording.frames(first, end)) == frames[first:end]
        for number in (0, 1, 63, 64, 149):
            assert recording.number_at(frames[number].begin_ns) == number
            assert recording.number_at(frames[number].end_ns - 1) == number
        assert recording.number_at(0) == 0
        assert recording.number_at(frames[-1].end_ns) == 150


def test_a_moment_knows_what_was_read_before_it(tmp_path: Path) -> None:
    frames = [sorted_buckets(frame) for frame in scripted(200)]
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        for number in (0, 3, 63, 64, 130, 199):
            known = recording.known_at(number)
            for name in SECTIONS:
                last = next((f for f in reversed(frames[: number + 1]) if getattr(f, name) is not None), None)
                assert getattr(known, name) == (None if last is None else getattr(last, name)), name
        with pytest.raises(IndexError):
            recording.known_at(200)


def test_a_moment_unpacks_no_block_twice_for_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [replace(frame, host=None, settings=None, watches=None) for frame in scripted(130)]
    told = scripted(1)[0]
    frames[0] = replace(frames[0], host=told.host, settings=told.settings, watches=told.watches)
    unpacked: list[bytes] = []

    def counted(data: bytes, only: frozenset[str] | None = None) -> list[Frame]:
        unpacked.append(data)
        return unpack_block(data, only)

    monkeypatch.setattr(recording_module, "unpack_block", counted)
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        known = recording.known_at(2 * BLOCK_FRAMES)
        first = len(unpacked)
        recording.known_at(2 * BLOCK_FRAMES + 1)
    assert (known.host, known.settings, known.watches) == (told.host, told.settings, told.watches)
    assert len(set(unpacked)) == first == len(unpacked)


def test_a_recording_in_progress_can_be_read_and_goes_on_under_the_reader(tmp_path: Path) -> None:
    frames = [sorted_buckets(frame) for frame in scripted(BLOCK_FRAMES + 20)]
    store = Store(tmp_path / "a.wlat", {}, durable=False)
    for start in range(0, 60, 5):
        store.append(frames[start : start + 5])
    with Recording(store.path) as recording:
        assert not recording.closed
        coming = recording.frames()
        early = [next(coming) for _ in range(7)]
        for start in range(60, len(frames), 5):
            store.append(frames[start : start + 5])  # the small blocks being read become one
        assert early + list(coming) == frames
    store.close()


def test_people_can_query_it(tmp_path: Path) -> None:
    frames = scripted(5 * 82, "told")
    path = recorded(tmp_path / "a.wlat", frames)
    database = sqlite3.connect(path)
    ticks = [frame.writer for frame in frames if frame.writer is not None]
    worst_ns = max(tick.worst[Span.RESPONSE].response_ns for tick in ticks)  # type: ignore[union-attr]
    assert database.execute("SELECT max(worst_response_ns) FROM frame").fetchone() == (worst_ns,)
    assert database.execute("SELECT sum(in_page) FROM frame").fetchone() == (sum(tick.writes[0] for tick in ticks),)
    assert frames[400].nodes is not None
    free = database.execute("SELECT free FROM node WHERE frame = 400 ORDER BY node").fetchall()
    assert [pages for (pages,) in free] == [sample.rows["nr_free_pages"] for sample in frames[400].nodes]
    values = database.execute("SELECT value FROM knob WHERE name = 'zone_reclaim_mode' ORDER BY frame").fetchall()
    assert [value for (value,) in values] == ["0", "1", "0"]
    assert database.execute("SELECT count(*) FROM mark").fetchone() == (sum(len(frame.marks) for frame in frames),)
    told = database.execute("SELECT p50_service_ns, p99_service_ns, p999_service_ns FROM frame WHERE number = 400").fetchone()
    session = Session(window_s=0.2)
    session.fold(frames[400])
    seen = session.window(Span.SERVICE)
    assert seen is not None
    assert told == (seen.p50_ns, seen.p99_ns, seen.p999_ns)
    stalls = [stall.service_ns for tick in ticks for stall in tick.stalls]
    assert [ns for (ns,) in database.execute("SELECT service_ns FROM stall ORDER BY rowid")] == stalls != []
    database.close()


def test_a_hole_in_time_is_a_gap_and_the_wall_clock_may_jump(tmp_path: Path) -> None:
    frames = scripted(100, "gap")
    frames = [replace(frame, wall_ns=frame.wall_ns - (3_600_000_000_000 if i > 50 else 0)) for i, frame in enumerate(frames)]
    with Recording(recorded(tmp_path / "a.wlat", frames)) as recording:
        assert [frame.wall_ns for frame in recording.frames()] == [frame.wall_ns for frame in frames]
        hole = next((a.end_ns, b.begin_ns) for a, b in pairwise(frames) if b.begin_ns - a.end_ns > 10**8)
        assert recording.row("SELECT begin_ns, end_ns FROM gap") == hole


def test_compact_histograms_keep_every_count_and_move_no_duration_far(tmp_path: Path) -> None:
    def figures(frames: Iterable[Frame]) -> Session:
        session = Session()
        for frame in frames:
            session.fold(frame)
        return session

    frames = scripted(200)
    whole, compact = figures(frames), figures(compact_frame(frame, GROUP) for frame in frames)
    for span in Span:
        exact, coarse = whole.whole(span), compact.whole(span)
        assert exact is not None
        assert coarse is not None
        assert (coarse.count, coarse.max_ns) == (exact.count, exact.max_ns)
        for quantile in ("p50_ns", "p99_ns", "p999_ns", "p9999_ns"):
            assert getattr(coarse, quantile) == pytest.approx(getattr(exact, quantile), rel=0.017)
    assert recorded(tmp_path / "b", [compact_frame(frame, GROUP) for frame in frames]).stat().st_size < (
        0.5 * recorded(tmp_path / "a", frames).stat().st_size
    )


def test_the_slowest_hundredth_of_a_compact_histogram_is_exact() -> None:
    packed = struct.pack("=12I", 5_000, 3, 1_000, 995, 5_001, 2, 6_000, 4, 9_999, 1, 1_001, 200)
    back = list(struct.iter_unpack("=II", compact_buckets(packed, GROUP)))
    # 1,205 writes: the 13 slowest begin inside bucket 1,001, which is kept whole
    assert back == [(1_001, 200), (1_008, 995), (5_000, 3), (5_001, 2), (6_000, 4), (9_999, 1)]


def test_the_file_is_private_and_never_an_existing_one(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", scripted(1))
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["a.wlat"]
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(SessionError, match="exists and is not overwritten"):
            Store(taken, {}, durable=False)
    with pytest.raises(SessionError, match="No such file or directory"):
        Store(tmp_path / "no" / "a.wlat", {}, durable=False)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3"])
def test_every_version_of_the_file_stays_readable(version: str) -> None:
    with Recording(FIXTURES / f"version-{version}.wlat") as recording:
        assert recording.closed
        frames = list(recording.frames())
    assert len(frames) == 12
    assert frames[0].host is not None
    assert frames[0].host.hostname == "demo"
    session = Session()
    for frame in frames:
        session.fold(frame)
    assert (sum(session.writes), session.stall_count) == (12_000, 0)


def test_there_is_a_file_of_every_version_up_to_this_one() -> None:
    assert {path.name for path in FIXTURES.glob("*.wlat")} == {f"version-{MAJOR}.{minor}.wlat" for minor in range(MINOR + 1)}
    for path in FIXTURES.glob("*.wlat"):
        version = read_version(path)
        assert path.stem == f"version-{version // 1000}.{version % 1000}"


def test_a_newer_minor_version_opens_and_a_newer_major_one_says_what_to_do(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", scripted(5))
    database = sqlite3.connect(path)
    database.execute("ALTER TABLE frame ADD COLUMN colour")
    database.execute("CREATE TABLE smell (frame INTEGER)")
    for version, opens in ((1999, True), (2000, False)):
        database.execute(f"PRAGMA user_version = {version}")
        database.commit()
        if opens:
            with Recording(path) as recording:
                assert len(list(recording.frames())) == 5
        else:
            with pytest.raises(SessionError, match="newer wlat"):
                Recording(path)
    database.close()


def test_an_older_version_is_migrated_on_a_copy(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", scripted(5))
    before = path.read_bytes()

    def add_hue(db: sqlite3.Connection) -> None:
        db.execute("ALTER TABLE mark ADD COLUMN hue")

    copy = sqlite3.connect(tmp_path / "copy", isolation_level=None)
    source = sqlite3.connect(path)
    source.backup(copy)
    migrate(copy, {1: add_hue}, newest=2)
    assert copy.execute("PRAGMA user_version").fetchone() == (2000,)
    assert "hue" in {row[1] for row in copy.execute("PRAGMA table_info(mark)")}
    with pytest.raises(LookupError):
        migrate(copy, {}, newest=3)
    assert copy.execute("PRAGMA user_version").fetchone() == (2000,)
    source.close()
    copy.close()
    assert path.read_bytes() == before


def test_a_version_no_migration_leads_from_is_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wlat", scripted(2))
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(SessionError, match="format 0"):
        Recording(path)
