"""Frames in, the same frames out, whatever their types allow; damaged blocks are noticed."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sessions.makers import any_frames, scripted, sorted_buckets
from wlat_tui.frame import Frame, WriterTick
from wlat_tui.sessions import shapes
from wlat_tui.sessions.blocks import HEAD, pack_block, read_head, unpack_block
from wlat_tui.sessions.columns import Cursor, Damaged
from wlat_tui.sources.scripted import Scenario

TWO_FRAMES = pack_block(0, scripted(2), small=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(any_frames(), st.booleans())
def test_any_frames_come_back_as_they_were(frames: list[Frame], small: bool) -> None:
    assert unpack_block(pack_block(7, frames, small=small)) == frames


@pytest.mark.parametrize("scenario", ["told", "degraded", "trouble", "gap", "no_writer", "many_nodes", "inflight"])
def test_frames_of_every_scenario_come_back(scenario: Scenario) -> None:
    frames = scripted(60, scenario)
    assert unpack_block(pack_block(0, frames, small=True)) == [sorted_buckets(frame) for frame in frames]


def test_only_the_wanted_fields_are_read() -> None:
    frames = scripted(10)
    some = unpack_block(pack_block(0, frames, small=False), frozenset(("zones",)))
    assert [frame.zones for frame in some] == [frame.zones for frame in frames]
    assert all(frame.vmstat is None and frame.writer is None for frame in some)


def test_a_field_of_a_newer_wlat_is_skipped_and_a_missing_one_gets_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [frame for frame in scripted(8) if frame.writer is not None]
    codec = shapes.Record(Frame)
    names = dict(codec._codecs)
    codec._codecs = {"colour": names["begin_ns"], **{name: names[name] for name in names if name != "notices"}}
    monkeypatch.setattr(Frame, "colour", 7, raising=False)
    monkeypatch.setattr("wlat_tui.sessions.blocks._FRAMES", codec)
    data = pack_block(0, frames, small=False)
    monkeypatch.undo()
    back = unpack_block(data)
    assert [frame.writer for frame in back] == [sorted_buckets(frame).writer for frame in frames]
    assert all(frame.notices == () for frame in back)


def test_a_record_without_a_field_it_needs_is_damaged() -> None:
    packed = shapes.Record(WriterTick).pack([scripted(1)[0].writer])
    with pytest.raises(Damaged, match="no seq"):
        shapes.Record(WriterTick).unpack(Cursor(packed.replace(b"\x03seq", b"\x03sEq")), 1)


def test_a_block_cut_anywhere_is_damaged() -> None:
    data = pack_block(0, scripted(3), small=False)
    for length in range(len(data)):
        with pytest.raises(Damaged):
            unpack_block(data[:length])


@settings(deadline=None)
@given(st.data())
def test_a_changed_byte_is_noticed(data: st.DataObject) -> None:
    block = bytearray(TWO_FRAMES)
    at = data.draw(st.integers(0, len(block) - 1))
    block[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Damaged):
        unpack_block(bytes(block))


@given(st.binary(max_size=300), st.integers(0, 40))
@settings(deadline=None)
def test_bytes_with_a_right_checksum_that_are_no_frames_are_damaged(raw: bytes, frames: int) -> None:
    packed = zlib.compress(raw)
    head = HEAD.pack(b"WLB1", 1, 0, frames, len(raw), len(packed), 0)[:-4]
    block = head + struct.pack("<I", zlib.crc32(packed, zlib.crc32(head))) + packed
    assert read_head(block).frames == frames
    with pytest.raises(Damaged):
        unpack_block(block)


def test_a_block_that_unpacks_to_more_than_it_says_is_not_unpacked() -> None:
    packed = zlib.compress(bytes(50_000_000))
    head = HEAD.pack(b"WLB1", 1, 0, 1, 1_000, len(packed), 0)[:-4]
    block = head + struct.pack("<I", zlib.crc32(packed, zlib.crc32(head))) + packed
    with pytest.raises(Damaged, match="another size"):
        unpack_block(block)
