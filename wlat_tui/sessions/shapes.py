"""Frames as columns, by their types: one codec per type, made from the dataclasses in `wlat_tui.frame` themselves.

A list of n values of one type is written as:

| int, bool, enum      | an integer column                                                                            |
| float, str           | a double / text column                                                                       |
| ``X or None``        | an integer column (1: there), then the ones that are there                                   |
| tuple of fixed shape | its members flattened, one list (X, X, X of one type)                                        |
| tuple of any length  | an integer column of lengths, then all members as one list                                   |
| *keyed* tuple        | see below                                                                                    |
| mapping              | a keyed tuple of (key, value)                                                                |
| record (dataclass)   | uvarint number of fields, then per field its name (chunk) and its list (chunk)               |

A *keyed* tuple holds things that are told apart by a key (nodes, zones, pressure lines, histograms, counters), so that each
is compared with itself a tick ago and not with its neighbour: the distinct lists of group numbers (uvarint how many; each an
uvarint length and uvarints), an integer column saying which of them each value has, uvarint number of groups, and per group a
chunk of uvarint size and the list of its members. In `RELATIVE` fields the difference to another field is written.

Fields are found by name: a reader skips the ones it does not know, and gives the ones it does not find their default.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Hashable, Mapping, Sequence
from enum import IntEnum
from functools import cache
from itertools import groupby
from typing import Any, Protocol

from wlat_tui.frame import Frame, HistogramDelta, NodeSample, NodeShape, Pressure, Write, WriterTick, Zone
from wlat_tui.sessions.columns import (
    MOST_VALUES,
    Cursor,
    Damaged,
    chunk,
    pack_buckets,
    pack_floats,
    pack_ints,
    pack_texts,
    unpack_buckets,
    unpack_floats,
    unpack_ints,
    unpack_texts,
    uvarint,
)

KEYS: Mapping[type, Callable[[Any], Hashable]] = {
    NodeSample: lambda item: item.node,
    NodeShape: lambda item: item.node,
    Zone: lambda item: (item.node, item.name),
    Pressure: lambda item: (item.resource, item.kind),
    HistogramDelta: lambda item: (item.span, item.write_class),
}
"""What tells the members of a tuple of these apart."""
RELATIVE: Mapping[type, Mapping[str, str]] = {
    Write: {"begin_ns": "planned_ns", "end_ns": "begin_ns"},
    Frame: {"end_ns": "begin_ns"},
    WriterTick: {"end_ns": "begin_ns"},
}
"""Field -> an earlier field that it is written as the difference to."""


class Codec(Protocol):
    """Lists of one type to bytes and back."""

    def pack(self, values: Sequence[Any]) -> bytes: ...

    def unpack(self, data: Cursor, count: int) -> list[Any]:
        """Raises Damaged."""


@dataclasses.dataclass(frozen=True, slots=True)
class Plain:
    """A type that is one column."""

    pack: Callable[[Sequence[Any]], bytes]
    unpack: Callable[[Cursor, int], list[Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Numbered:
    """bool and enums: small whole numbers."""

    kind: type

    def pack(self, values: Sequence[Any]) -> bytes:
        return pack_ints([int(value) for value in values])

    def unpack(self, data: Cursor, count: int) -> list[Any]:
        try:
            return [self.kind(number) for number in unpack_ints(data, count)]
        except ValueError as error:
            raise Damaged(f"{error}: written by a newer wlat, or damaged") from error


@dataclasses.dataclass(frozen=True, slots=True)
class Optional:
    """X or None."""

    inner: Codec

    def pack(self, values: Sequence[Any]) -> bytes:
        return pack_ints([int(value is not None) for value in values]) + self.inner.pack([v for v in values if v is not None])

    def unpack(self, data: Cursor, count: int) -> list[Any]:
        there = unpack_ints(data, count)
        present = iter(self.inner.unpack(data, sum(map(bool, there))))
        return [next(present) if flag else None for flag in there]


@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    """A tuple of always the same length and one type."""

    inner: Codec
    length: int

    def pack(self, values: Sequence[Any]) -> bytes:
        return self.inner.pack([member for value in values for member in value])

    def unpack(self, data: Cursor, count: int) -> list[Any]:
        flat = self.inner.unpack(data, count * self.length)
        return list(zip(*[iter(flat)] * self.length, strict=True))


@dataclasses.dataclass(frozen=True, slots=True)
class Many:
    """A tuple of any length."""

    inner: Codec

    def pack(self, values: Sequence[Any]) -> bytes:
        return pack_ints([len(value) for value in values]) + self.inner.pack([member for value in values for member in value])

    def unpack(self, data: Cursor, count: int) -> list[Any]:
        lengths = unpack_ints(data, count)
        if min(lengths, default=0) < 0 or sum(lengths) > MOST_VALUES:
            raise Damaged("a list has an impossible length")
        flat = iter(self.inner.unpack(data, sum(lengths)))
        return [tuple(next(flat) for _ in range(length)) for length in lengths]


@dataclasses.dataclass(frozen=True, slots=True)
class Keyed:
    """A tuple whose members are told apart by a key; equal keys in one tuple are different groups."""

    inner: Codec
    key: Callable[[Any], Hashable]

    def pack(self, values: Sequence[Sequence[Any]]) -> bytes:
        numbers: dict[Hashable, int] = {}
        groups: list[list[Any]] = []
        shapes: dict[tuple[int, ...], int] = {}
        column: list[int] = []
        # most have the keys of the one before: what belongs where is found out once for all of those
        for keys, same in groupby(values, lambda value: tuple(map(self.key, value))):
            seen: dict[Hashable, int] = {}
            shape = []
            for key in keys:
                seen[key] = seen.get(key, -1) + 1
                number = numbers.setdefault((key, seen[key]), len(numbers))
                if number == len(groups):
                    groups.append([])
                shape.append(number)
            alike = list(same)
            for number, members in zip(shape, zip(*alike, strict=True), strict=True):
                groups[number] += members
            column += [shapes.setdefault(tuple(shape), len(shapes))] * len(alike)
        listed = b"".join(uvarint(len(shape)) + b"".join(map(uvarint, shape)) for shape in shapes)
        packed = b"".join(chunk(uvarint(len(group)) + self.inner.pack(group)) for group in groups)
        return uvarint(len(shapes)) + listed + pack_ints(column) + uvarint(len(groups)) + packed

    def unpack(self, data: Cursor, count: int) -> list[Any]:
        shapes = [[data.uvarint() for _ in range(data.uvarint())] for _ in range(data.uvarint())]
        column = unpack_ints(data, count)
        groups = []
        for _ in range(data.uvarint()):
            part = data.chunk()
            groups.append(iter(self.inner.unpack(part, part.uvarint())))
        try:
            return [tuple([next(groups[number]) for number in shapes[which]]) for which in column]
        except (IndexError, StopIteration) as error:
            raise Damaged("a keyed list names members that are not there") from error


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A mapping: keyed pairs. Comes back as a dict in the order it had."""

    pairs: Keyed

    def pack(self, values: Sequence[Any]) -> bytes:
        return self.pairs.pack([tuple(value.items()) for value in values])

    def unpack(self, data: Cursor, count: int) -> list[Any]:
        return [dict(pairs) for pairs in self.pairs.unpack(data, count)]


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """(key, value) of one group: the key is the same in all of them and is written once."""

    key: Codec
    value: Codec

    def pack(self, values: Sequence[Any]) -> bytes:
        return self.key.pack([values[0][0]]) + self.value.pack([value for _, value in values]) if values else b""

    def unpack(self, data: Cursor, count: int) -> list[Any]:
        if not count:
            return []
        (key,) = self.key.unpack(data, 1)
        return [(key, value) for value in self.value.unpack(data, count)]


class Record:
    """A dataclass, field by field."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self._relative = RELATIVE.get(kind, {})
        self._fields = {field.name: field for field in dataclasses.fields(kind)}
        hints = typing.get_type_hints(kind)
        self._codecs: dict[str, Codec] = {
            name: Plain(pack_buckets, unpack_buckets) if hints[name] is bytes else codec_of(hints[name])
            for name in self._fields
        }

    def pack(self, values: Sequence[Any]) -> bytes:
        out = [uvarint(len(self._fields))]
        for name, codec in self._codecs.items():
            column = [getattr(value, name) for value in values]
            if (base := self._relative.get(name)) is not None:
                column = [number - getattr(value, base) for number, value in zip(column, values, strict=True)]
            out.append(chunk(name.encode()) + chunk(codec.pack(column)))
        return b"".join(out)

    def unpack(self, data: Cursor, count: int, only: frozenset[str] | None = None) -> list[Any]:
        """*only*: the fields wanted; the others are skipped and get their default (None where they have none)."""
        columns: dict[str, list[Any]] = {}
        for _ in range(data.uvarint()):
            name, part = data.take(data.uvarint()).decode("utf-8", "replace"), data.chunk()
            if name in self._codecs and (only is None or name in only):
                column = self._codecs[name].unpack(part, count)
                if (base := self._relative.get(name)) is not None:
                    column = [number + other for number, other in zip(column, columns[base], strict=True)]
                columns[name] = column
        for name in self._fields.keys() - columns.keys():
            columns[name] = [self._default(name, must=only is None) for _ in range(count)]
        ordered = [columns[name] for name in self._fields]
        return [self.kind(*row) for row in zip(*ordered, strict=True)]

    def _default(self, name: str, *, must: bool) -> Any:
        field = self._fields[name]
        if field.default is not dataclasses.MISSING:
            return field.default
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
        if must:
            raise Damaged(f"{self.kind.__name__} has no {name}")
        return None


@cache
def codec_of(hint: Any) -> Codec:
    """The codec of a type as it stands in a dataclass of `wlat_tui.frame`.

    Raises:
        TypeError: this module has no way to write such a field.
    """
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if isinstance(hint, types.UnionType) and len(arguments) == 2 and arguments[1] is type(None):
        return Optional(codec_of(arguments[0]))
    if origin is tuple and arguments[-1] is Ellipsis:
        inner = codec_of(arguments[0])
        return Keyed(inner, KEYS[arguments[0]]) if arguments[0] in KEYS else Many(inner)
    if origin is tuple and len(set(arguments)) == 1:
        return Fixed(codec_of(arguments[0]), len(arguments))
    if origin is not None and issubclass(origin, Mapping):
        return Table(Keyed(Pair(codec_of(arguments[0]), codec_of(arguments[1])), lambda pair: pair[0]))
    if hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, type) and issubclass(hint, bool | IntEnum):
        return Numbered(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return Record(hint)
    raise TypeError(f"a recording has no columns for {hint}")


_PLAIN: dict[Any, Codec] = {
    int: Plain(pack_ints, unpack_ints),
    float: Plain(pack_floats, unpack_floats),
    str: Plain(pack_texts, unpack_texts),
}
