"""Which numbers of a kernel file did not make it into what was parsed from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from wlat_tui.frame import Zone
from wlat_tui.kernel.zoneinfo import ZoneTable, parse_zoneinfo

_NUMBER = re.compile(r"(?<![\w.(])-?\d+(?![\w.])|(?<=\()-?\d+(?![\w.])")


def numbers_in(text: str) -> Counter[int]:
    """Numbers standing alone: not the 32 of DMA32."""
    return Counter(int(number) for number in _NUMBER.findall(text))


def lost_from_zoneinfo(text: str) -> Counter[int]:
    """Numbers printed more often than the parsed table holds them; empty: nothing was lost."""
    table = parse_zoneinfo(text)
    headers = Counter(node for node in table.nodes if f"Node {node}, per-node stats" in text)
    return numbers_in(text) - Counter(_held(table)) - headers


def _held(table: ZoneTable) -> Iterator[int]:
    for rows in table.nodes.values():
        yield from rows.values()
    for (node, name), rows in table.incomplete.items():
        yield node
        yield from rows.values()
        for pageset in table.pagesets(node, name):
            yield from pageset.values()
    for zone in table.zones:
        yield from _zone_numbers(zone)
        for pageset in table.pagesets(zone.node, zone.name):
            yield from pageset.values()


def _zone_numbers(zone: Zone) -> Iterator[int]:
    named = (zone.node, zone.free, zone.min, zone.low, zone.high, zone.managed, zone.present, zone.spanned)
    yield from (number for number in (*named, zone.boost, zone.promo, zone.start_pfn) if number is not None)
    yield from zone.protection
    yield from zone.rows.values()
