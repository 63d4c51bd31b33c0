"""/proc/zoneinfo: every zone's free pages and watermarks.

Expensive for others: the kernel holds the zone's lock, interrupts off, while it prints the zone, including seven lines per
online CPU (mm/vmstat.c zoneinfo_show). Read it rarely. The per-CPU part is most of the text and is not walked line by line
here: 64 nodes with 1,024 CPUs print 12 MB. Values are the global counters; per-CPU deltas not yet folded in are bounded by
`drift_pages`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wlat_tui.frame import Zone
from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import KeptFile, decode, parse_pairs, read_text

WATERMARKS = ("free", "min", "low", "high")
_PAGESETS = "  pagesets"
_THRESHOLD = "threshold"
_PER_NODE = "  per-node stats\n"
_LONG_CHARS = 1 << 15
"""Per-CPU lists longer than this (some 200 CPUs) are counted once, not per zone."""


@dataclass(frozen=True, slots=True)
class ZoneTable:
    """What /proc/zoneinfo said, without loss.

    Attributes:
        zones: in the file's order; includes empty zones (managed 0), which can have watermarks without any page.
        nodes: node -> rows of its per-node block (since 4.8).
        incomplete: (node, zone name) -> rows of zones without all of free, min, low and high (emulated /proc, cut files).
    """

    zones: tuple[Zone, ...]
    nodes: Mapping[int, Mapping[str, int]]
    incomplete: Mapping[tuple[int, str], Mapping[str, int]]
    _text: str = field(repr=False, default="")
    _spans: Mapping[tuple[int, str], tuple[int, int]] = field(repr=False, default_factory=dict)

    def pagesets(self, node: int, zone: str) -> tuple[Mapping[str, int], ...]:
        """The zone's per-CPU lists: rows with "cpu" and, before 2.6.25, "pcp" (0 hot, 1 cold). Parsed on demand."""
        begin, end = self._spans.get((node, zone), (0, 0))
        return parse_pagesets(self._text[begin:end])


def parse_zoneinfo(text: str) -> ZoneTable:
    """Every layout from 2.6.13 on, by row name and never by line number. Rows with unknown names are kept."""
    zones: list[Zone] = []
    nodes: dict[int, dict[str, int]] = {}
    incomplete: dict[tuple[int, str], Mapping[str, int]] = {}
    spans: dict[tuple[int, str], tuple[int, int]] = {}
    counts: dict[str, int] = {}
    for begin, end in _sections(text):
        head_end = text.find("\n", begin, end)
        node_text, _, title = text[begin + 5 : head_end if head_end >= 0 else end].partition(",")
        if not node_text.isdecimal():
            continue
        node, kind = int(node_text), title.split()
        pages = text.find(_PAGESETS, begin, end)
        body_end = end if pages < 0 else pages
        node_rows = nodes.setdefault(node, {})
        in_zone = kind[:1] == ["zone"]
        rows, protection = _rows(text[begin:body_end], node_rows, in_zone)
        if not in_zone:
            continue
        name = kind[1] if len(kind) > 1 else ""
        drift = None
        if pages >= 0:
            tail = _tail(text, pages, end)
            spans[node, name] = (pages, tail)
            rows.update(_rows(text[tail:end], node_rows, True)[0])
            drift = _drift_pages(text, pages, tail, counts)
        if all(mark in rows for mark in WATERMARKS):
            zones.append(_zone(node, name, rows, protection, drift))
        else:
            incomplete[node, name] = rows
    found = {node: rows for node, rows in nodes.items() if rows}
    return ZoneTable(tuple(zones), found, incomplete, text, spans)


def parse_pagesets(text: str) -> tuple[Mapping[str, int], ...]:
    """The part of a zone after ``pagesets``: one mapping per CPU (and hot or cold list)."""
    sets: list[dict[str, int]] = []
    for line in text.split("\n"):
        words = line.split()
        if words[:1] == ["cpu:"]:
            sets.append(_named_numbers(words))
        elif len(words) > 1 and sets and words[-1].isdecimal():
            sets[-1][" ".join(words[:-1]).rstrip(":")] = int(words[-1])
    return tuple(sets)


def read_zoneinfo(root: Path = ROOT) -> ZoneTable | None:
    """None without /proc. Raises OSError."""
    text = read_text(root / "proc/zoneinfo")
    return None if text is None else parse_zoneinfo(text)


class Zoneinfo(KeptFile):
    """/proc/zoneinfo kept open: the first read of a fresh file prints every node twice or more (seq_file grows its buffer)."""

    def __init__(self, root: Path = ROOT) -> None:
        super().__init__(root / "proc/zoneinfo")

    def table(self) -> ZoneTable:
        return parse_zoneinfo(decode(self.read()))


def _sections(text: str) -> Iterator[tuple[int, int]]:
    """(begin, end) of each header and what follows it. Searching a single rare letter is one memchr over megabytes."""
    begin, at = -1, text.find("N")
    while at >= 0:
        if text.startswith("Node ", at) and (at == 0 or text[at - 1] == "\n"):
            if begin >= 0:
                yield begin, at
            begin = at
        at = text.find("N", at + 1)
    if begin >= 0:
        yield begin, len(text)


def _rows(text: str, node_rows: dict[str, int], in_zone: bool) -> tuple[dict[str, int], tuple[int, ...]]:
    """Rows of a zone, and its lowmem_reserve. Rows between ``per-node stats`` and ``pages free`` belong to the whole node."""
    block, stop = text.find(_PER_NODE), text.find("  pages free")
    if 0 <= block < stop and (pairs := parse_pairs(text[block + len(_PER_NODE) : stop])) is not None:
        node_rows.update(pairs)
        text = text[stop:]
    rows: dict[str, int] = {}
    protection: tuple[int, ...] = ()
    into = rows if in_zone else node_rows
    for line in text.split("\n"):
        words = line.split()
        count = len(words)
        if count == 2:
            name, value = words
            if value.isdecimal():
                into[name.rstrip(":")] = int(value)
            elif name == "per-node":
                into = node_rows
        elif count == 1 and words[0].isdecimal():  # a row without a name: 4.14.y, 4.17 to 4.19, early el8
            into[""] = int(words[0])
        elif count > 2 and words[0] == "pages" and words[2].isdecimal():
            into = rows
            rows[words[1]] = int(words[2])
        elif count and words[0] == "protection:":
            inside = line[line.find("(") + 1 : line.rfind(")")]
            entries = [entry.strip() for entry in inside.split(",")]
            protection = tuple(int(entry) for entry in entries if entry.removeprefix("-").isdecimal())
        elif count > 2 and words[0] == "scanned":  # 2.6: "scanned  0 (a: 24 i: 4)"
            flat = _named_numbers(line.replace("(", " ").replace(")", " ").split())
            rows.update({name if name == "scanned" else f"scanned {name}": value for name, value in flat.items()})
    return rows, protection


def _named_numbers(words: list[str]) -> dict[str, int]:
    """``cpu: 0 pcp: 1`` as words -> {"cpu": 0, "pcp": 1}."""
    pairs = zip(words[::2], words[1::2], strict=False)
    return {name.rstrip(":"): int(value) for name, value in pairs if value.isdecimal()}


def _tail(text: str, pages: int, end: int) -> int:
    """Where the per-CPU lists end: the last rows of a zone are indented by two or three blanks, the lists by more."""
    at = end
    while True:
        begin = text.rfind("\n", pages, max(at - 1, pages)) + 1
        if begin <= pages or text.startswith(("    ", "  vm stats"), begin):
            return at
        at = begin


def _drift_pages(text: str, begin: int, end: int, counts: dict[str, int]) -> int | None:
    """Online CPUs x vm stats threshold. The kernel sets one threshold for all CPUs of a zone; None where it prints none.

    Every zone lists the same online CPUs, so they are counted once per last CPU (``counts``): 1,024 CPUs are 190 KB per zone.
    """
    first, last = text.find(_THRESHOLD, begin, end), text.rfind(_THRESHOLD, begin, end)
    if first < 0:
        return None
    limits = [text[at + len(_THRESHOLD) + 1 : at + len(_THRESHOLD) + 12].partition("\n")[0].strip() for at in (first, last)]
    if not all(limit.isdecimal() for limit in limits):
        return None
    last_cpu = text.rfind("cpu:", begin, last)
    label = text[last_cpu : text.find("\n", last_cpu, end)]
    if end - begin < _LONG_CHARS or label not in counts:
        counts[label] = text.count(_THRESHOLD, begin, end)
    return counts[label] * max(map(int, limits))


def _zone(node: int, name: str, rows: dict[str, int], protection: tuple[int, ...], drift: int | None) -> Zone:
    take = rows.pop
    return Zone(
        node=node,
        name=name,
        free=take("free"),
        min=take("min"),
        low=take("low"),
        high=take("high"),
        managed=take("managed", None),
        present=take("present", None),
        spanned=take("spanned", None),
        boost=take("boost", None),
        promo=take("promo", None),
        protection=protection,
        start_pfn=take("start_pfn", None),
        rows=rows,
        drift_pages=drift,
    )
