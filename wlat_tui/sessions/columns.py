"""Lists of plain values as bytes: the lowest layer of a recording's blobs.

An *integer column* of n values (n is known from outside) is:

| n = 0     | nothing                                                                                    |
| constant  | byte 0, svarint value                                                                      |
| otherwise | byte ``mode << 4 \\| width``, svarint base, uvarint step, then the scaled values             |

mode 1 (*plain*): value = base + step * scaled. mode 2 (*delta*): the first value is base, each next one is the one before it
plus step * unzigzag(scaled); there are n - 1 scaled values. ``step`` is what all differences can be divided by: deadlines are
multiples of the interval, offsets of the record size. width 1, 2, 4, 8: the scaled values, little-endian, as byte planes (all
lowest bytes first), so that the planes that are nearly always zero lie together; width 0: uvarints of any size.
uvarint is LEB128, svarint its zigzag form. A *text column* is a uvarint count of distinct texts, each with its length in UTF-8
(surrogates pass), and an integer column of numbers of texts.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from operator import gt, sub

MOST_VALUES = 1 << 24
"""No column is longer: what announces more is damaged (or wants to eat our memory)."""
_TYPECODES = {1: "B", 2: "H", 4: "I", 8: "Q"}
_CONSTANT, _PLAIN, _DELTA = 0, 1, 2


class Damaged(ValueError):
    """Bytes that are not what this module wrote. The message is one sentence."""


def uvarint(value: int) -> bytes:
    """LEB128 of a number >= 0, of any size."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    return value >> 1 if value & 1 == 0 else -((value + 1) >> 1)


def chunk(data: bytes) -> bytes:
    """With its length in front."""
    return uvarint(len(data)) + data


class Cursor:
    """Reads bytes from front to back; never past the end."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes not yet taken."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next bytes. Raises Damaged when there are not so many."""
        end = self._at + count
        if end > len(self._data):
            raise Damaged("a column is shorter than it says")
        taken, self._at = self._data[self._at : end], end
        return taken

    def uvarint(self) -> int:
        # most are one byte, and a block has thousands: no slice for each
        data, at, value, shift = self._data, self._at, 0, 0
        while True:
            if at >= len(data):
                raise Damaged("a column is shorter than it says")
            byte = data[at]
            at += 1
            if byte < 0x80:
                self._at = at
                return value | byte << shift
            value |= (byte & 0x7F) << shift
            shift += 7

    def svarint(self) -> int:
        return unzigzag(self.uvarint())

    def chunk(self) -> Cursor:
        """What `chunk` wrote, to be read by itself."""
        return Cursor(self.take(self.uvarint()))


def pack_ints(values: Sequence[int]) -> bytes:
    """An integer column. Plain or delta, whichever needs fewer bits."""
    if not values:
        return b""
    first, least, most = values[0], min(values), max(values)
    if least == most:
        return bytes((_CONSTANT,)) + uvarint(zigzag(first))
    deltas = [b - a for a, b in pairwise(values)]
    step = math.gcd(*deltas)
    plain = [(value - least) // step for value in values]
    zigzags = [zigzag(delta // step) for delta in deltas]
    if sum(map(int.bit_length, zigzags)) < sum(map(int.bit_length, plain)):
        return _scaled(_DELTA, first, step, zigzags)
    return _scaled(_PLAIN, least, step, plain)


def pack_counts(values: Sequence[int]) -> bytes:
    """An integer column of numbers >= 0 whose differences mean nothing: plain, unscaled, four times as quick."""
    return _scaled(_PLAIN, 0, 1, values) if values else b""


def _scaled(mode: int, base: int, step: int, scaled: Sequence[int]) -> bytes:
    bits = max(scaled).bit_length()
    width = next((width for width in _TYPECODES if bits <= 8 * width), 0)
    head = bytes((mode << 4 | width,)) + uvarint(zigzag(base)) + uvarint(step)
    if width == 0:
        return head + b"".join(map(uvarint, scaled))
    flat = array(_TYPECODES[width], scaled)
    if sys.byteorder == "big":
        flat.byteswap()
    raw = flat.tobytes()
    return head + b"".join(raw[plane::width] for plane in range(width))


def unpack_ints(data: Cursor, count: int) -> list[int]:
    """The next column of *count* values. Raises Damaged."""
    if not 0 <= count <= MOST_VALUES:
        raise Damaged(f"a column announces {count} values")
    if count == 0:
        return []
    mode, width = divmod(data.take(1)[0], 16)
    base = data.svarint()
    if mode == _CONSTANT:
        return [base] * count
    step = data.uvarint()
    if mode == _PLAIN and (base, step) == (0, 1):
        return list(_planes(data, width, count))
    if mode == _PLAIN:
        return [base + step * value for value in _planes(data, width, count)]
    if mode == _DELTA:
        moves = (step * unzigzag(value) for value in _planes(data, width, count - 1))
        return list(accumulate(chain((base,), moves)))
    raise Damaged(f"no column is written in mode {mode}")


def _planes(data: Cursor, width: int, count: int) -> Sequence[int]:
    if width == 0:
        return [data.uvarint() for _ in range(count)]
    if width not in _TYPECODES:
        raise Damaged(f"no column is {width} bytes wide")
    planes = data.take(width * count)
    raw = bytearray(width * count)
    for plane in range(width):
        raw[plane::width] = planes[plane * count : (plane + 1) * count]
    flat = array(_TYPECODES[width], bytes(raw))
    if sys.byteorder == "big":
        flat.byteswap()
    return flat


def pack_texts(values: Sequence[str]) -> bytes:
    """A text column."""
    numbers: dict[str, int] = {}
    column = [numbers.setdefault(value, len(numbers)) for value in values]
    texts = b"".join(chunk(text.encode("utf-8", "surrogatepass")) for text in numbers)
    return uvarint(len(numbers)) + texts + pack_ints(column)


def unpack_texts(data: Cursor, count: int) -> list[str]:
    """The next text column of *count* values. Raises Damaged."""
    try:
        texts = [data.take(data.uvarint()).decode("utf-8", "surrogatepass") for _ in range(data.uvarint())]
        return [texts[number] for number in unpack_ints(data, count)]
    except (UnicodeDecodeError, IndexError) as error:
        raise Damaged(f"a text column cannot be read: {error}") from error


def pack_floats(values: Sequence[float]) -> bytes:
    """Doubles, little-endian, one after the other."""
    return struct.pack(f"<{len(values)}d", *values)


def unpack_floats(data: Cursor, count: int) -> list[float]:
    """The next *count* doubles. Raises Damaged."""
    return list(struct.unpack(f"<{count}d", data.take(8 * count)))


def pack_buckets(values: Sequence[bytes]) -> bytes:
    """Histograms (packed ``struct wl_bucket``), each as ascending buckets: number of buckets, gaps between indices, counts.

    The engine sends buckets in the order of their first use, which means nothing: they come back sorted.
    """
    lengths: list[int] = []
    gaps: list[int] = []
    counts: list[int] = []
    for packed in values:
        if len(packed) % 8:
            raise ValueError(f"a histogram of {len(packed)} bytes is not whole buckets of 8")
        flat = array("I", packed)
        lengths.append(len(flat) // 2)
        indices, numbers = flat[::2].tolist(), flat[1::2].tolist()
        if any(map(gt, indices, indices[1:])):
            pairs = sorted(zip(indices, numbers, strict=True))
            indices, numbers = [index for index, _ in pairs], [number for _, number in pairs]
        gaps += indices[:1]
        gaps += map(sub, indices[1:], indices)
        counts += numbers
    return pack_ints(lengths) + uvarint(len(gaps)) + pack_counts(gaps) + pack_counts(counts)


def unpack_buckets(data: Cursor, count: int) -> list[bytes]:
    """The next *count* histograms, in this machine's byte order. Raises Damaged."""
    lengths = unpack_ints(data, count)
    total = data.uvarint()
    gaps, counts = unpack_ints(data, total), unpack_ints(data, total)
    if sum(lengths) != total or min(lengths, default=0) < 0:
        raise Damaged("histograms have more or fewer buckets than they say")
    result, at = [], 0
    for length in lengths:
        flat = array("I", bytes(8 * length))
        try:
            flat[::2] = array("I", accumulate(gaps[at : at + length]))
            flat[1::2] = array("I", counts[at : at + length])
        except OverflowError as error:
            raise Damaged("a histogram has a bucket that cannot be") from error
        result.append(flat.tobytes())
        at += length
    return result
