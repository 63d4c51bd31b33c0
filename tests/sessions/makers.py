"""Frames for tests of recordings: any that the types allow, and whole sessions that make sense."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hypothesis import strategies as st

from tests.model.makers import SECOND, START, TICK, a_frame, a_mark, a_sample, a_write, a_zone
from wlat_tui.frame import Frame, HistogramDelta, KnobState, Settings, Span, WriteClass
from wlat_tui.sessions.store import Store
from wlat_tui.sources.scripted import Scenario, ScriptedSource

BUCKETS = st.dictionaries(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), max_size=6).map(
    lambda counts: b"".join(struct.pack("=II", *pair) for pair in sorted(counts.items()))
)
DELTAS = st.builds(HistogramDelta, st.sampled_from(Span), st.sampled_from(WriteClass), BUCKETS)


def any_frames() -> st.SearchStrategy[list[Frame]]:
    """Every field anything its type allows: numbers of any size, any text, repeated nodes, empty mappings."""
    st.register_type_strategy(HistogramDelta, DELTAS)
    st.register_type_strategy(float, st.floats(allow_nan=False))
    return st.lists(st.from_type(Frame), min_size=1, max_size=4)


@st.composite
def sessions(draw: st.DrawFn) -> list[Frame]:
    """A run as a source would bring it: time goes on, sections come and go, the writer sometimes says nothing."""
    frames = []
    for i in range(draw(st.integers(1, 40))):
        at_ns = START + i * TICK
        durations = draw(st.none() | st.lists(st.integers(500, 40_000_000), max_size=5))
        writes = None
        if durations is not None:
            classes = draw(st.lists(st.sampled_from(WriteClass), min_size=len(durations), max_size=len(durations)))
            writes = [a_write(at_ns + 1_000, ns, kind) for ns, kind in zip(durations, classes, strict=True)]
        free = draw(st.integers(0, 1 << 40))
        frames.append(
            a_frame(
                i,
                writes,
                writer_missing=None if writes is not None else draw(st.sampled_from(["the disk is full", "starting"])),
                nodes=draw(st.none() | st.just((a_sample(free), a_sample(free // 3, node=1, numa_hit=free)))),
                zones=draw(st.none() | st.just((a_zone(free=free), a_zone("DMA", free=7)))),
                vmstat=draw(st.none() | st.fixed_dictionaries({"pgscan_direct": st.integers(0, 2**64 - 1)})),
                knobs=draw(
                    st.none() | st.fixed_dictionaries({"zone_reclaim_mode": st.builds(KnobState, st.text(), st.none())})
                ),
                settings=draw(st.none() | st.just(Settings())),
                marks=draw(st.just(()) | st.just((a_mark(at_ns + SECOND // 10),))),
                losses=draw(st.dictionaries(st.sampled_from(["stalls", "late_ticks"]), st.integers(1, 9), max_size=2)),
                notices=draw(st.just(()) | st.just(("something must be said",))),
            )
        )
    return frames


def scripted(count: int, scenario: Scenario = "told", seed: int = 1, settings: Settings | None = None) -> list[Frame]:
    source = ScriptedSource(seed, scenario, realtime=False, settings=settings)
    return [source.next_frame() for _ in range(count)]


def sorted_buckets(frame: Frame) -> Frame:
    """The order of a histogram's buckets means nothing and is not kept."""
    if frame.writer is None:
        return frame
    deltas = tuple(
        replace(delta, buckets=b"".join(struct.pack("=II", *pair) for pair in sorted(struct.iter_unpack("=II", delta.buckets))))
        for delta in frame.writer.histograms
    )
    return replace(frame, writer=replace(frame.writer, histograms=deltas))


def recorded(path: Path, frames: Sequence[Frame], *, each: int = 5) -> Path:
    """A closed recording of these frames, appended a few at a time."""
    store = Store(path, {"source": "a test"}, durable=False)
    for start in range(0, len(frames), each):
        store.append(frames[start : start + each])
    assert store.close({"ended": {"reason": "done"}}) is None
    return path
