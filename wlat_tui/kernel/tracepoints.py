"""The fields of a tracepoint, from the text in its ``format`` file, and their values in a raw record.

Source: /sys/kernel/tracing/events/SUBSYSTEM/EVENT/format (Documentation/trace/events.rst, "Event formats").
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

_FIELD = re.compile(
    r"field:(?P<declaration>[^;]+);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);(?:\s*signed:(?P<signed>[01]);)?"
)
_DECLARATION = re.compile(r"(?P<type>.*?)(?P<name>\w+)(?P<array>\[[^\]]*\])?$")
_LOCATION = re.compile(r"__(?P<relative>rel|data)_loc\b")
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Field:
    """One field. ``kind``: number, text (char array), located or relative (text elsewhere: __data_loc, __rel_loc)."""

    name: str
    offset: int
    size: int
    signed: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Format:
    """The event's own fields; the common ones, and arrays of numbers, are left out."""

    fields: tuple[Field, ...]

    def values(self, raw: bytes) -> tuple[Mapping[str, int], Mapping[str, str]]:
        """Numbers and texts of one raw record. What lies outside *raw* is left out."""
        numbers: dict[str, int] = {}
        texts: dict[str, str] = {}
        for field in self.fields:
            data = raw[field.offset : field.offset + field.size]
            if len(data) < field.size:
                continue
            if field.kind == "number":
                numbers[field.name] = int.from_bytes(data, sys.byteorder, signed=field.signed)
            elif field.kind == "text":
                texts[field.name] = _text(data)
            else:
                word = int.from_bytes(data, sys.byteorder)
                begin = (word & 0xFFFF) + (field.offset + field.size if field.kind == "relative" else 0)
                texts[field.name] = _text(raw[begin : begin + (word >> 16)])
        return numbers, texts


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
    return Format(tuple(fields))


def _kind(ctype: str, array: str | None, size: int) -> str:
    """ "" for what is not read."""
    if location := _LOCATION.match(ctype):
        return ("relative" if location["relative"] == "rel" else "located") if "char" in ctype and size == 4 else ""
    if array is not None:
        return "text" if re.search(r"\bchar\b", ctype) else ""
    return "number" if size in (1, 2, 4, 8) else ""
