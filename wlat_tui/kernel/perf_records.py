"""Records of a perf ring, as the engine hands them on (``struct wl_trace`` in native/wlat.h).

Source: perf_event_open(2), "Layout of data in the ring buffer". Samples carry IDENTIFIER (here: the number of the probe), TID,
TIME, CPU, then CALLCHAIN where the probe asks for it, then RAW where the fields may be seen.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

LOST, SAMPLE, SWITCH = 2, 9, 14
_SWITCH_OUT, _SWITCH_PREEMPTED = 1 << 13, 1 << 14
_HEADER = struct.Struct("=IHH")
_SAMPLE = struct.Struct("=QIIQII")
_ID = struct.Struct("=IIQIIQ")
_CONTEXT_MIN = 2**64 - 4095
"""Chain entries from here on are marks (PERF_CONTEXT_KERNEL ...), not addresses."""
_MOST_FRAMES = 1024


@dataclass(slots=True)
class Record:
    """One record. ``probe`` is None for one that is no sample; then ``name`` says what it is.

    Not frozen: making one would take three times as long.
    """

    at_ns: int
    cpu: int
    tid: int
    probe: int | None = None
    name: str = ""
    """``switch_in``, ``switch_out``, ``switch_out_preempted`` or ``lost``."""
    count: int = 0
    """Of lost records."""
    chain: tuple[int, ...] = ()
    """Addresses, innermost first."""
    raw: bytes = b""


def parse_records(data: bytes, with_chain: frozenset[int], *, raw: bool) -> Iterator[Record]:
    """The records in *data*, in its order (the engine sends the newest first). Kinds that are not known here are skipped.

    Args:
        data: whole records.
        with_chain: numbers of the probes whose samples carry a call chain.
        raw: whether samples carry their fields.

    Raises:
        ValueError: these are no such records (one sentence).
    """
    at = 0
    while at < len(data):
        if len(data) - at < _HEADER.size:
            raise ValueError(f"the perf records end in the middle of a head, at byte {at}")
        kind, misc, size = _HEADER.unpack_from(data, at)
        if size < _HEADER.size or at + size > len(data):
            raise ValueError(f"the perf record at byte {at} says it is {size} bytes long, which it cannot be")
        body = data[at + _HEADER.size : at + size]
        at += size
        if kind == SAMPLE:
            yield _sample(body, with_chain, raw)
        elif kind in (LOST, SWITCH):
            yield _other(kind, misc, body)


def _other(kind: int, misc: int, body: bytes) -> Record:
    if len(body) < _ID.size + (16 if kind == LOST else 0):
        raise ValueError("a perf record is too short for what it is")
    _pid, tid, at_ns, cpu, _reserved, _identifier = _ID.unpack_from(body, len(body) - _ID.size)
    if kind == LOST:
        return Record(at_ns, cpu, tid, name="lost", count=struct.unpack_from("=QQ", body)[1])
    if not misc & _SWITCH_OUT:
        return Record(at_ns, cpu, tid, name="switch_in")
    return Record(at_ns, cpu, tid, name="switch_out_preempted" if misc & _SWITCH_PREEMPTED else "switch_out")


def _sample(body: bytes, with_chain: frozenset[int], raw: bool) -> Record:
    try:
        probe, _pid, tid, at_ns, cpu, _reserved = _SAMPLE.unpack_from(body)
        at = _SAMPLE.size
        chain: tuple[int, ...] = ()
        if probe in with_chain:
            (count,) = struct.unpack_from("=Q", body, at)
            if count > _MOST_FRAMES:
                raise ValueError(f"a perf sample's call chain has {count} entries, which it cannot have")
            chain = tuple(address for address in struct.unpack_from(f"={count}Q", body, at + 8) if address < _CONTEXT_MIN)
            at += 8 + 8 * count
        fields = b""
        if raw:
            (count,) = struct.unpack_from("=I", body, at)
            fields = body[at + 4 : at + 4 + count]
            if len(fields) < count:
                raise ValueError("a perf sample is shorter than the fields it announces")
    except struct.error as error:
        raise ValueError("a perf sample is shorter than what it announces") from error
    return Record(at_ns, cpu, tid, probe, chain=chain, raw=fields)
