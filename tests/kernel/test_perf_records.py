"""Perf records are cut into events, and anything else into one sentence."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.kernel.perf_records import LOST, SAMPLE, SWITCH, Record, parse_records

KERNEL_MARK = 2**64 - 128
"""PERF_CONTEXT_KERNEL."""


def record(kind: int, misc: int, body: bytes) -> bytes:
    return struct.pack("=IHH", kind, misc, 8 + len(body)) + body


def trailer(at_ns: int, cpu: int = 3, tid: int = 7) -> bytes:
    return struct.pack("=IIQIIQ", 5, tid, at_ns, cpu, 0, 99)


def sample(probe: int, at_ns: int, chain: tuple[int, ...] | None = None, raw: bytes | None = None) -> bytes:
    body = struct.pack("=QIIQII", probe, 5, 7, at_ns, 3, 0)
    if chain is not None:
        body += struct.pack(f"={1 + len(chain)}Q", len(chain), *chain)
    if raw is not None:
        body += struct.pack("=I", len(raw)) + raw
    return record(SAMPLE, 1, body + bytes(-len(body) % 8))


def test_samples_carry_their_chain_and_their_fields() -> None:
    data = sample(2, 1000, (KERNEL_MARK, 0xA, 0xB), b"fields") + sample(0, 900, None, b"")
    first, second = parse_records(data, frozenset({2}), raw=True)
    assert first == Record(1000, 3, 7, 2, chain=(0xA, 0xB), raw=b"fields")
    assert second == Record(900, 3, 7, 0)


def test_without_fields_a_chain_is_all_there_is() -> None:
    (only,) = parse_records(sample(1, 5, (0xC,)), frozenset({1}), raw=False)
    assert only.chain == (0xC,)
    assert only.raw == b""


def test_switches_tell_coming_from_going_and_being_pushed() -> None:
    data = b"".join(record(SWITCH, misc, trailer(10)) for misc in (0, 1 << 13, 3 << 13))
    assert [each.name for each in parse_records(data, frozenset(), raw=True)] == [
        "switch_in",
        "switch_out",
        "switch_out_preempted",
    ]


def test_lost_records_are_counted_and_unknown_kinds_skipped() -> None:
    data = record(77, 0, b"whatever") + record(LOST, 0, struct.pack("=QQ", 1, 42) + trailer(10))
    (only,) = parse_records(data, frozenset(), raw=True)
    assert (only.name, only.count, only.at_ns) == ("lost", 42, 10)


PIECES = st.one_of(
    st.binary(max_size=60),
    st.builds(sample, st.integers(0, 3), st.integers(0, 2**40), st.none(), st.binary(max_size=40)),
    st.builds(
        sample,
        st.integers(0, 3),
        st.integers(0, 2**40),
        st.lists(st.integers(0, 2**64 - 1), max_size=9).map(tuple),
        st.binary(max_size=40),
    ),
    st.builds(record, st.sampled_from([LOST, SAMPLE, SWITCH, 3]), st.integers(0, 65535), st.binary(max_size=80)),
)


def parsed(data: bytes, raw: bool) -> list[Record] | str:
    try:
        return list(parse_records(data, frozenset({1, 2}), raw=raw))
    except ValueError as error:
        return str(error)


@given(st.lists(PIECES, max_size=6).map(b"".join), st.booleans(), st.integers(0, 200))
def test_whatever_comes_is_records_or_one_sentence(data: bytes, raw: bool, cut: int) -> None:
    result = parsed(data[: max(0, len(data) - cut)], raw)
    if isinstance(result, str):
        assert "perf" in result
    else:
        assert all(each.probe is not None or each.name for each in result)


def test_a_record_of_no_length_does_not_go_on_for_ever() -> None:
    with pytest.raises(ValueError, match="0 bytes long"):
        list(parse_records(bytes(64), frozenset(), raw=True))
