"""A report as one HTML page that needs no network: everything is in it, the chart library too.

Whatever comes from a recording is escaped: it may come from anybody. On top of that the page's own policy lets no script run
but the ones that are in it now, and nothing be fetched from anywhere.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import importlib.util
import json
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from wlat_tui import __version__
from wlat_tui.renderables.glyphs import printable
from wlat_tui.report import words
from wlat_tui.report.charts import Chart, charts
from wlat_tui.report.digest import Digest
from wlat_tui.report.words import Table

TEXT_COLUMNS = frozenset(("what", "says", "cause", "class", "beside it", "kind", "at"))
"""Set to the left; the others are figures."""


class NoLibrary(Exception):
    """The chart library is not installed. The message is one sentence."""


def library() -> str:
    """plotly.js, from the Python package that brings it.

    Raises:
        NoLibrary: it is not installed.
    """
    found = importlib.util.find_spec("plotly")
    places = [] if found is None else [Path(place) for place in found.submodule_search_locations or ()]
    for place in places:
        script = place / "package_data" / "plotly.min.js"
        if script.is_file():
            return script.read_text(encoding="utf-8")
    raise NoLibrary(
        "the charts of an HTML report need plotly: 'pip install \"wlat_tui[report]\"' (or pip install plotly), or use --text"
    )


def report_page(digest: Digest) -> Iterator[str]:
    """The page of one recording, piece by piece. Raises NoLibrary."""
    return page(words.title(digest), _body(digest, drawn := charts(digest)), drawn)


def page(title: str, body: Iterable[str], drawn: Iterable[Chart]) -> Iterator[str]:
    """A whole page around a body (HTML) whose charts are placed with `figure`. Raises NoLibrary."""
    plotly = library()
    script = _asset("report.js")
    data = [{"name": c.name, "height": c.height_px, "figure": c.figure} for c in drawn]
    policy = (
        f"default-src 'none'; script-src {_digest(script)} {_digest(plotly)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    yield "<!DOCTYPE html>\n"
    yield '<html lang="en"><head><meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escaped(policy)}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">\n'
    yield f'<link rel="icon" href="data:,"><title>wlat: {escaped(title)}</title>\n'
    yield f"<style>\n{_asset('report.css')}</style></head>\n"
    yield "<body><main>\n"
    yield '<button id="theme" type="button">Colours</button>\n'
    yield from body
    yield (
        f"<footer><p>Made by wlat {escaped(__version__)}. Charts: plotly.js (MIT licence), in this page. "
        "This page needs no network and sends nothing.</p></footer>\n</main>\n"
    )
    yield f'<script type="application/json" id="charts">{_json(data)}</script>\n'
    yield f'<script type="application/octet-stream" id="library">{_packed(plotly)}</script>\n'
    yield f"<script>{script}</script>\n</body></html>\n"


def figure(chart: Chart) -> str:
    """Where a chart will be."""
    return (
        f'<figure><div class="chart" id="{chart.name}" role="img" aria-label="{escaped(chart.label)}"'
        f' style="min-height:{chart.height_px}px">The charts need JavaScript; the tables have the figures.</div>'
        f"<figcaption>{escaped(chart.caption)}</figcaption></figure>\n"
    )


def table(content: Table, caption: str) -> str:
    """A table that scrolls by itself where the screen is narrow."""
    classes = ['class="text"' if name in TEXT_COLUMNS else "" for name in content.head]
    head = "".join(f'<th scope="col" {kind}>{escaped(name)}</th>' for kind, name in zip(classes, content.head, strict=True))
    rows = "".join(
        "<tr>" + "".join(f"<td {kind}>{escaped(cell)}</td>" for kind, cell in zip(classes, row, strict=True)) + "</tr>\n"
        for row in content.rows
    )
    label = escaped(caption)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{label}"><table aria-label="{label}">'
        f"<thead><tr>{head}</tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )


def escaped(text: str) -> str:
    """As text of the page, also within quotes."""
    return html.escape(printable(text))


def paragraphs(sentences: Iterable[str], kind: str = "") -> str:
    return "".join(f'<p class="{kind}">{escaped(text)}</p>\n' for text in sentences)


def _body(digest: Digest, drawn: list[Chart]) -> Iterator[str]:
    placed = {chart.name: figure(chart) for chart in drawn}
    yield f"<h1>{escaped(words.title(digest))}</h1>\n"
    first, *rest = words.summary(digest)
    yield f'<section aria-labelledby="summary"><h2 id="summary">Summary</h2>\n{paragraphs([first], "lead")}{paragraphs(rest)}'
    yield table(words.percentiles(digest), "Percentiles of latency") + "</section>\n"
    yield "<section><h2>Latency and headroom over time</h2>\n" + placed.get("timeline", "")
    if digest.session.marks:
        yield table(words.marks(digest), "Marks: what was done when")
    yield (
        "</section>\n<section><h2>Distribution</h2>\n"
        + placed.get("distribution", "")
        + placed.get("heat", "")
        + "</section>\n"
    )
    yield from _stalls(digest)
    suspects = words.suspects(digest)
    yield "<section><h2>Suspects</h2>\n"
    yield paragraphs(suspects or ["Nobody was seen disturbing the writes."])
    yield "</section>\n<section><h2>Host and settings</h2>\n<dl>\n"
    yield "".join(f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>\n" for name, value in words.host(digest))
    yield "</dl></section>\n<section><h2>How it was measured</h2>\n" + paragraphs(words.method(digest))
    if digest.notices:
        yield "<h3>Said while recording</h3>\n" + paragraphs(digest.notices)
    yield "</section>\n"


def _stalls(digest: Digest) -> Iterator[str]:
    yield "<section><h2>Stalls and their causes</h2>\n"
    if not digest.session.top_causes:
        yield paragraphs(["No stall was described singly."]) + "</section>\n"
        return
    yield table(words.causes(digest), "Causes of stalls")
    for example in words.examples(digest):
        chain = "\n".join(map(escaped, example.chain))
        yield (
            f"<details><summary>{escaped(example.title)}: the longest, {escaped(example.heading)}</summary>\n"
            + paragraphs([example.says, "Consists of " + ", ".join(example.parts) + "."])
            + paragraphs([f"Shown by {example.evidence}"] if example.evidence else [], "dim")
            + (f"<pre>{chain}</pre>\n" if chain else "")
            + paragraphs(f"What would help: {text}" for text in example.advice)
            + "</details>\n"
        )
    for heading, listed in (("The longest write()", words.longest(digest)), ("The latest wakes", words.latest(digest))):
        if listed.rows:
            yield f"<h3>{heading}</h3>\n" + table(listed, heading)
    yield "</section>\n"


def _asset(name: str) -> str:
    return (files("wlat_tui.report") / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _packed(script: str) -> str:
    """4.8 MB become 2."""
    return base64.b64encode(gzip.compress(script.encode(), 9, mtime=0)).decode()


def _json(value: object) -> str:
    """JSON that no text in it can end the element of."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")
