"""The fields of a tracepoint, from the text in its ``format`` file, and their values in a raw record.

Source: /sys/kernel/tracing/events/SUBSYSTEM/EVENT/format (Documentation/trace/events.rst, "Event formats").
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_FIELD = re.compile(
    r"field:(?P<declaration>[^;]+);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);(?:\s*signed:(?P<signed>[01]);)?"
)
_DECLARATION = re.compile(r"(?P<type>.*?)(?P<name>\w+)(?P<array>\[[^\]]*\])?$")
_LOCATION = re.compile(r"__(?P<relative>rel|data)_loc\b")
_MOST_BYTES = 1 << 16
_MOST_TOLD = 512


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``kind``: number, text (char array), located or relative (text elsewhere: __data_loc, __rel_loc)."""

    name: str
    offset: int
    size: int
    signed: bool
    kind: str


class Format:
    """The event's own fields (``fields``, in order of offset); the common ones, and arrays of numbers, are left out."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields = tuple(sorted(fields, key=lambda field: field.offset))
        self._whole = _layout(self.fields)
        self._numbers = tuple((i, field.name) for i, field in enumerate(self.fields) if field.kind == "number")
        self._texts = tuple((i, field) for i, field in enumerate(self.fields) if field.kind != "number")
        self._told: dict[tuple[bytes, ...], Mapping[str, str]] | None = None
        if all(field.kind == "text" for _, field in self._texts):
            self._told = {}

    def values(self, raw: bytes) -> tuple[Mapping[str, int], Mapping[str, str]]:
        """Numbers and texts of one raw record. What lies outside *raw* is left out."""
        if self._whole is None or len(raw) < self._whole.size:
            return self._one_by_one(raw)
        # thousands a second in a storm of stalls: in one go
        found = self._whole.unpack_from(raw)
        numbers = {name: found[i] for i, name in self._numbers}
        if not self._texts:
            return numbers, {}
        if self._told is None:
            return numbers, {field.name: _text_of(field, found[i], raw) for i, field in self._texts}
        # the same few names again and again: kept once each, they take a third of the memory of the events of a stall
        key = tuple([found[i] for i, _ in self._texts])
        texts = self._told.get(key)
        if texts is None:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            texts = self._told[key] = {field.name: _text(found[i]) for i, field in self._texts}
        return numbers, texts

    def _one_by_one(self, raw: bytes) -> tuple[Mapping[str, int], Mapping[str, str]]:
        numbers: dict[str, int] = {}
        texts: dict[str, str] = {}
        for field in self.fields:
            data = raw[field.offset : field.offset + field.size]
            if len(data) < field.size:
                continue
            if field.kind == "number":
                numbers[field.name] = int.from_bytes(data, sys.byteorder, signed=field.signed)
            else:
                texts[field.name] = _text_of(field, data, raw)
        return numbers, texts


_CODES = {1: "b", 2: "h", 4: "i", 8: "q"}


def _layout(fields: tuple[Field, ...]) -> struct.Struct | None:
    """All fields at once; None where they overlap."""
    layout, at = "=", 0
    for field in fields:
        if field.offset < at:
            return None
        code = f"{field.size}s" if field.kind != "number" else _CODES[field.size]
        layout += f"{field.offset - at}x{code if field.signed or field.kind != 'number' else code.upper()}"
        at = field.offset + field.size
    return struct.Struct(layout)


def _text_of(field: Field, data: bytes, raw: bytes) -> str:
    """``data``: the field's own bytes, which may only say where in *raw* the text is."""
    if field.kind == "text":
        return _text(data)
    word = int.from_bytes(data, sys.byteorder)
    begin = (word & 0xFFFF) + (field.offset + field.size if field.kind == "relative" else 0)
    return _text(raw[begin : begin + (word >> 16)])


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("utf-8", "replace")


def parse_format(text: str) -> Format:
    """The fields of one ``format`` file. Lines that are no fields, or describe none that makes sense, are skipped."""
    fields = []
    for match in _FIELD.finditer(text):
        declaration = _DECLARATION.match(match["declaration"].strip())
        offset, size = int(match["offset"]), int(match["size"])
        if declaration is None or declaration["name"].startswith("common_") or offset + size > _MOST_BYTES:
            continue
        kind = _kind(declaration["type"], declaration["array"], size)
        if kind:
            fields.append(Field(declaration["name"], offset, size, match["signed"] == "1", kind))
    return Format(fields)


def _kind(ctype: str, array: str | None, size: int) -> str:
    """ "" for what is not read."""
    if location := _LOCATION.match(ctype):
        return ("relative" if location["relative"] == "rel" else "located") if "char" in ctype and size == 4 else ""
    if array is not None:
        return "text" if re.search(r"\bchar\b", ctype) else ""
    return "number" if size in (1, 2, 4, 8) else ""
