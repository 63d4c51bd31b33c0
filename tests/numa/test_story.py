"""The chapters of the story, judged by what wlat recorded in guests with two nodes, and by the kernel's own counts.

Never by time: an emulated CPU's says nothing. The plans are in plans/, what plays them is chapters.py.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.numa.counting import EVENTS
from tests.numa.shows import SHOWS, Collected
from wlat_tui.experiment.outcome import frames_of, phases_of
from wlat_tui.frame import Frame, WriteClass, Zone
from wlat_tui.mitigations import catalogue
from wlat_tui.mitigations.zone_reclaim_mode import reclaims_nothing
from wlat_tui.model.phases import Phase
from wlat_tui.model.session import Session
from wlat_tui.sessions.recording import Recording

pytestmark = [
    pytest.mark.numa,
    pytest.mark.minutes("two guests play the story for minutes each"),
]
WRITES, ALLOCATED, NODE_RECLAIM = EVENTS


def where(chapter: str) -> pytest.MarkDecorator:
    """The kernels that play this chapter."""
    return pytest.mark.parametrize("show", [name for name, show in SHOWS.items() if chapter in show.chapters], indirect=True)


@dataclass(frozen=True)
class Turn:
    """One side's phase: its frames, and what the kernel counted of the writer's thread meanwhile."""

    frames: list[Frame]
    vmstats: list[Mapping[str, int]]
    """/proc/vmstat as read since the turn began, its warm-up included: settings and loads are the side's all that time."""
    events: dict[str, int]
    session: Session
    """As it was at the phase's end."""

    def writes(self, kind: WriteClass) -> int:
        return sum(frame.writer.writes[kind] for frame in self.frames if frame.writer)

    def gained(self, node: int, *names: str) -> int:
        """By how much rows of the node's vmstat grew."""
        read = [sample.rows for frame in self.frames for sample in frame.nodes or () if sample.node == node]
        return sum(read[-1][name] - read[0][name] for name in names)

    def vmstat(self, name: str) -> int:
        """By how much a row grew in the turn."""
        return self.vmstats[-1].get(name, 0) - self.vmstats[0].get(name, 0)

    def share_of(self, node: int) -> float:
        """Of the pages that were dirtied, the share on this node."""
        found = {number: self.gained(number, "nr_dirtied") for number in (0, 1)}
        return found[node] / sum(found.values())

    def placed_share_of(self, node: int) -> float:
        """Of the newest pages of the writer's file, asked one by one, the share on this node."""
        found = {number: self.events.get(f"on node {number}", 0) for number in (0, 1)}
        assert sum(found.values()) > 100, found
        return found[node] / sum(found.values())

    @property
    def writer_nodes(self) -> set[int]:
        return {frame.writer.node for frame in self.frames if frame.writer}


@contextmanager
def turns(show: Collected, chapter: str) -> Iterator[dict[str, Turn]]:
    """Side -> its turn."""
    facts = show.facts(chapter)
    with Recording(show.recording(chapter)) as recording:
        session = Session()
        found = {}
        folded = 0
        for phase in phases_of(recording):
            end = recording.number_at(phase.end_ns)
            vmstats = [] if session.vmstat is None else [session.vmstat]
            for frame in recording.frames(folded, end):
                session.fold(frame)
                vmstats += [frame.vmstat] if frame.vmstat is not None else []
            folded = end
            frames = list(frames_of(recording, phase))
            found[phase.side] = Turn(frames, vmstats, counted(facts["samples"], phase), session)
        yield found


def counted(samples: list[tuple[int, dict[str, int]]], phase: Phase) -> dict[str, int]:
    """What was counted of the writer within the phase."""
    times = [at_ns for at_ns, _ in samples]
    first = samples[min(bisect_left(times, phase.begin_ns), len(samples) - 1)][1]
    last = samples[max(0, bisect_left(times, phase.end_ns) - 1)][1]
    return {name: last[name] - first.get(name, 0) for name in last}


@where("marks")
def test_topology_and_zones_are_what_the_kernel_prints(show: Collected) -> None:
    steps = show.facts("marks")["steps"]
    with Recording(show.recording("marks")) as recording:
        session = Session()
        for frame in recording.frames(0, steps[0]["frames"]):
            session.fold(frame)
    shown = [(state.zone.node, state.zone.name) for node in session.nodes.values() for state in node.zones]
    assert shown == [(0, "DMA"), (0, "DMA32"), (0, "Normal"), (1, "Normal")]
    assert_marks(zones_of(session), steps[0]["zones"])
    assert session.host is not None
    assert {shape.node: shape.cpus for shape in session.host.nodes} == {0: (0,), 1: (1,)}
    assert {shape.node: dict(shape.distances) for shape in session.host.nodes} == {0: {0: 10, 1: 21}, 1: {0: 21, 1: 10}}
    for node in session.nodes.values():
        # headroom leaves every zone its low mark and what it keeps for lower ones (a small zone may be kept back whole)
        kept = sum(min(state.zone.free, state.zone.low + state.reserve_pages) for state in node.zones)
        assert node.free_pages is not None
        assert node.headroom_pages == node.free_pages - kept


def zones_of(session: Session) -> list[Zone]:
    return [state.zone for node in session.nodes.values() for state in node.zones]


def assert_marks(zones: list[Zone], printed: list[dict[str, Any]]) -> None:
    shown = [{"node": z.node, "zone": z.name, "min": z.min, "low": z.low, "high": z.high, "managed": z.managed} for z in zones]
    assert shown == printed


@where("reclaim")
def test_a_full_node_sends_the_writers_pages_to_the_other_one(show: Collected) -> None:
    with turns(show, "reclaim") as sides:
        off = sides["mode 0"]
    assert off.writer_nodes == {1}
    assert off.writes(WriteClass.NEW_PAGE) >= 100
    assert off.share_of(0) > 0.5, "pages come from node 0, by the nodes' counters"
    assert off.placed_share_of(0) > 0.5, "and the pages of the writer's file lie there"
    assert off.gained(1, "numa_foreign") > 0.5 * off.gained(0, "nr_dirtied")
    assert off.gained(0, "numa_miss") == pytest.approx(off.gained(1, "numa_foreign"), rel=0.05), "two files, two moments"
    assert off.events[NODE_RECLAIM] == 0
    # the picture: node 1 at its low mark, node 0 falling
    full = [sample.rows["nr_free_pages"] for frame in off.frames for sample in frame.nodes or () if sample.node == 1]
    low = low_of(off, 1)
    assert min(full) < 1.5 * low, (full, low)
    assert off.gained(0, "nr_free_pages") < 0


def low_of(turn: Turn, node: int) -> int:
    zones = turn.frames[0].zones or ()
    return sum(zone.low for zone in zones if zone.node == node)


@where("reclaim")
@pytest.mark.parametrize("mode", ["mode 1", "mode 7"])
def test_with_node_reclaim_pages_stay_on_the_writers_node_and_the_writer_makes_room(show: Collected, mode: str) -> None:
    """The classic LRU: both modes reclaim."""
    with turns(show, "reclaim") as sides:
        off, on = sides["mode 0"], sides[mode]
    assert on.vmstat("pgsteal_direct") > 0, "it is counted as direct reclaim too"
    if show.kernel == "6.12":  # 6.1 counts failures only, and there the reader, in the same straits, makes room for both
        assert on.events[NODE_RECLAIM] > 0, "on the writer's own thread"
        assert on.vmstat("zone_reclaim_success") > 0
    assert on.share_of(1) > 0.5, "pages stay on node 1"
    assert on.share_of(0) < off.share_of(0)
    assert on.placed_share_of(1) > 0.5


@where("reclaim-mglru")
def test_the_multi_generational_lru_needs_both_bits_as_the_caution_says(show: Collected) -> None:
    with turns(show, "reclaim-mglru") as sides:
        one, seven = sides["mode 1"], sides["mode 7"]
        mglru = one.session.host.mglru if one.session.host else None
    assert mglru is not None
    assert reclaims_nothing(1, mglru)
    assert not reclaims_nothing(7, mglru)
    assert one.events[NODE_RECLAIM] > 0
    assert one.vmstat("zone_reclaim_failed") > 0
    assert one.vmstat("zone_reclaim_success") == 0, "mode 1 tries and reclaims nothing"
    assert seven.vmstat("zone_reclaim_success") > 0
    assert one.events[NODE_RECLAIM] > seven.events[NODE_RECLAIM], "and every new page pays for the attempt"
    caution = next(m.caution for m in catalogue() if m.name == "zone_reclaim_mode")
    assert caution is not None
    assert "only 7 reclaims" in caution


@where("nodes")
def test_pinning_moves_the_thread_its_pages_and_the_precursors(show: Collected) -> None:
    with turns(show, "nodes") as sides:
        for node in (0, 1):
            for name in (f"node {node}", f"node {node}, prepared"):
                assert sides[name].writer_nodes == {node}
                assert sides[name].share_of(node) > 0.7, name
            # at the end: what had been prepared before the writer moved is used up by then
            placed, astray = looked_at(sides[f"node {node}, prepared"])[-1]
            assert astray <= placed / 10


def looked_at(turn: Turn) -> list[tuple[int, int]]:
    """(prepared pages whose node is known, those on another node than the writer), as often as it was looked."""
    precursors = [frame.writer.precursor for frame in turn.frames if frame.writer]
    return [(ahead.placed_pages, ahead.astray_pages or 0) for ahead in precursors if ahead.placed_pages]


@where("nodes")
def test_the_writer_allocates_nothing_where_the_precursor_was(show: Collected) -> None:
    with turns(show, "nodes") as sides:
        for node in (0, 1):
            off, on = sides[f"node {node}"], sides[f"node {node}, prepared"]
            assert off.writes(WriteClass.PREPARED) == 0
            assert on.writes(WriteClass.PREPARED) > 50
            usual, left = (turn.events[ALLOCATED] / turn.events[WRITES] for turn in (off, on))
            assert usual > 6, "eight pages a write"
            assert left < usual / 4, "an emulated precursor may come late for a segment"


@where("nodes")
def test_a_precursor_on_the_wrong_node_is_detected_and_said(show: Collected) -> None:
    with turns(show, "nodes") as sides:
        wrong = sides["node 1, prepared on node 0"]
    assert wrong.writer_nodes == {1}
    placed, astray = looked_at(wrong)[-1]
    assert astray == placed
    (said,) = [text for text in show.facts("nodes")["warnings"] if "prepared on node 0" in text]
    assert "prepared pages looked at are not on node 1, where the writer runs" in said


@where("marks")
def test_moved_marks_are_seen_whoever_moved_them(show: Collected) -> None:
    facts = show.facts("marks")
    with Recording(show.recording("marks")) as recording:
        session = Session()
        seen = 0
        lows = []
        for step in facts["steps"][:5]:
            for frame in recording.frames(seen, step["frames"]):
                session.fold(frame)
            seen = step["frames"]
            assert_marks(zones_of(session), step["zones"])
            lows.append(sum(zone.low for zone in zones_of(session)))
        as_it_was, more_free, wider, foreign, huge_pages = lows
        assert wider > more_free
        assert huge_pages > foreign
        assert len({as_it_was, more_free, wider, foreign}) == 4
        kinds = Counter((mark.kind, mark.name) for mark in session.marks)
        assert kinds["applied", "min_free_kbytes"] == 1
        assert kinds["applied", "watermark_scale_factor"] == 1
        by_hand, by_the_kernel = (mark for mark in session.marks if (mark.kind, mark.name) == ("foreign", "min_free_kbytes"))
        assert (by_hand.before, by_hand.after) == ("12288", "20480")
        assert by_the_kernel.before == "20480"
        assert "the kernel moves it with" in by_the_kernel.text
        assert "transparent_hugepage/enabled, which went from never to always" in by_the_kernel.text
    assert facts["scale_after"] == "10", "put back"


@where("marks")
def test_memory_that_goes_away_is_survived(show: Collected) -> None:
    facts = show.facts("marks")
    if facts["block"] is None:
        pytest.skip("this kernel gave no memory block away")
    before, after = facts["steps"][-2], facts["steps"][-1]
    with Recording(show.recording("marks")) as recording:
        session = Session()
        for frame in recording.frames():
            session.fold(frame)
    managed = [sum(zone["managed"] for zone in step["zones"] if zone["node"] == 1) for step in (before, after)]
    assert managed[1] < managed[0]
    assert session.nodes[1].managed_pages == managed[1]
    assert session.writer is not None
    assert session.writer_missing is None


@where("slabinfo")
def test_a_reader_of_slabinfo_is_named_with_the_time_it_read(show: Collected) -> None:
    show.facts("slabinfo")
    with Recording(show.recording("slabinfo")) as recording:
        quiet, read = phases_of(recording)
        frames = list(recording.frames())
    seen = [d for frame in frames for d in frame.disturbances if d.kind == "read" and d.what == "/proc/slabinfo"]
    assert seen
    assert all("wlat_tui.loads slabinfo" in d.by.command for d in seen), seen
    assert min(d.begin_ns for d in seen) >= quiet.end_ns, "nobody had read before"
    assert any(d.begin_ns <= read.end_ns and d.end_ns >= read.begin_ns for d in seen), "the time overlaps the phase"
