"""A report for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from wlat_tui.frame import Span, WriteClass
from wlat_tui.model.series import aligned
from wlat_tui.renderables.glyphs import choose, printable, terminal_is_utf8, to_ascii
from wlat_tui.renderables.history import HistoryView, canvas_cells, history
from wlat_tui.renderables.line import plain
from wlat_tui.renderables.percentile_plot import percentile_plot
from wlat_tui.report import words
from wlat_tui.report.digest import Digest
from wlat_tui.report.words import Table

WIDTH = 100
_LETTERS = {"i": WriteClass.IN_PAGE, "n": WriteClass.NEW_PAGE, "p": WriteClass.PREPARED}


def report_lines(digest: Digest, width: int = WIDTH) -> Iterator[str]:
    """The same as the page, without colours; nothing in it can steer a terminal."""
    yield from map(_printable, _lines(digest, width))


def _lines(digest: Digest, width: int) -> Iterator[str]:
    yield words.title(digest)
    yield ""
    for sentence in words.summary(digest):
        yield from _folded(sentence, width)
    yield ""
    yield from _table(words.percentiles(digest))
    yield from _section("latency and headroom over time")
    yield from _history(digest, width)
    if digest.session.marks:
        yield from _table(words.marks(digest))
    curves = {letter: digest.curve(Span.SERVICE, kind) for letter, kind in _LETTERS.items()}
    if plot := percentile_plot({letter: curve for letter, curve in curves.items() if curve}, width, 16):
        yield from _section("service time by percentile: i in-page, n new-page, p prepared")
        yield from plot
    yield from _stalls(digest, width)
    yield from _section("suspects")
    for sentence in words.suspects(digest) or ["Nobody was seen disturbing the writes."]:
        yield from _folded(sentence, width)
    yield from _section("host and settings")
    for name, value in words.host(digest):
        yield from _folded(f"{name:<22} {value}", width, 23)
    yield from _section("how it was measured")
    for sentence in (*words.method(digest), *digest.notices):
        yield from _folded(sentence, width)


def _stalls(digest: Digest, width: int) -> Iterator[str]:
    if not digest.session.top_causes:
        return
    yield from _section("stalls and their causes")
    yield from _table(words.causes(digest))
    for example in words.examples(digest):
        yield ""
        yield from _folded(f"{example.title}: the longest, {example.heading}", width)
        yield from _folded(f"  {example.says}", width)
        yield from _folded(f"  consists of {', '.join(example.parts)}", width)
        if example.chain:
            yield from _folded(f"  {' < '.join(example.chain)}", width, 4)
        for advice in example.advice:
            yield from _folded(f"  what would help: {advice}", width, 4)
    for heading, listed in (("the longest write()", words.longest(digest)), ("the latest wakes", words.latest(digest))):
        if listed.rows:
            yield from ("", heading)
            yield from _table(listed)


def _history(digest: Digest, width: int) -> Iterator[str]:
    session = digest.session
    cells = canvas_cells(width)
    begin_ns, end_ns = aligned(digest.end_ns, digest.end_ns - digest.begin_ns, cells)
    view = HistoryView(
        span_ns=end_ns - begin_ns,
        latency=session.worst[Span.SERVICE].columns(begin_ns, end_ns, cells),
        headroom={node: series.columns(begin_ns, end_ns, cells) for node, series in session.memory.items()},
        page_bytes=4096 if session.host is None else session.host.page_bytes,
        threshold_ns=session.settings.threshold_ns,
    )
    for line in history(view, width, 20, choose(None)):
        yield plain(line).rstrip()


def _section(name: str) -> Iterator[str]:
    yield ""
    yield name
    yield "-" * len(name)


def _table(table: Table) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
    for row in (table.head, *table.rows):
        first, *rest = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join((f"{first.strip():<{widths[0]}}", *rest)).rstrip()


def _folded(text: str, width: int, indent: int = 2) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * indent) or [""]


def _printable(text: str) -> str:
    """A recording may come from anybody; a terminal may know ASCII only."""
    kept = printable(text)
    return kept if terminal_is_utf8() else to_ascii(kept)
