"""What a recording says, as sentences and tables of plain text: the page and the terminal show the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from wlat_tui.causes import Confidence, cause_named
from wlat_tui.evidence import TraceLevel
from wlat_tui.frame import Prewarm, Span, WriteClass
from wlat_tui.model.percentiles import Quantiles, span_ns
from wlat_tui.model.stalls import Explained
from wlat_tui.model.suspects import sentence
from wlat_tui.report.digest import Digest
from wlat_tui.sessions.compact import within
from wlat_tui.units import format_bytes, format_ns

LISTED_MARKS, LISTED_STALLS, LISTED_LATE_WAKES, LISTED_SUSPECTS, LISTED_FRAMES = 40, 20, 5, 10, 24
CLASSES: tuple[tuple[str, WriteClass | None], ...] = (
    ("all writes", None),
    ("in-page", WriteClass.IN_PAGE),
    ("new-page", WriteClass.NEW_PAGE),
    ("prepared", WriteClass.PREPARED),
)


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; the first column is what a row is about."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """The longest stall of one cause."""

    title: str
    heading: str
    says: str
    evidence: str
    chain: tuple[str, ...]
    parts: tuple[str, ...]
    advice: tuple[str, ...]


def clock(digest: Digest, at_ns: int, *, date: bool = False) -> str:
    """Time of day where this is read: ``03:00:05.120``."""
    moment = datetime.fromtimestamp(digest.wall_ns(at_ns) / 1e9).astimezone()
    return moment.isoformat(" ", "seconds") if date else f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"


def title(digest: Digest) -> str:
    host = digest.session.host
    name = "unknown host" if host is None else host.hostname
    return f"{name}, {clock(digest, digest.begin_ns, date=True)}, {_length(digest.end_ns - digest.begin_ns)}"


def _length(ns: int) -> str:
    """``45.2s``, ``10 min 22 s``, ``24 h 0 min``."""
    minutes, seconds = divmod(round(ns / 1e9), 60)
    if minutes < 2:
        return format_ns(ns)
    return f"{minutes} min {seconds} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def summary(digest: Digest) -> Iterator[str]:
    """The result in sentences, the most important one first."""
    session = digest.session
    whole = session.whole(Span.SERVICE)
    worst = session.worst_ever(Span.SERVICE)
    if whole is None or worst is None:
        yield f"Nothing was written: {session.writer_missing or 'the recording holds no report of the writer'}."
        return
    yield (
        f"The worst write() took {format_ns(span_ns(worst, Span.SERVICE))} at {clock(digest, worst.begin_ns)}; "
        f"half of all {whole.count:,} writes took at most {format_ns(whole.p50_ns)}, "
        f"99 % at most {format_ns(whole.p99_ns)}, 99.9 % at most {format_ns(whole.p999_ns)}."
    )
    yield from _stalls(digest)
    yield from _causes(digest)
    yield from _memory(digest)
    suspects = [suspect for suspect in session.suspects.ranked() if not suspect.own and suspect.stalls]
    if suspects:
        # kswapd is always beside reclaim; who reads what it should not can be stopped
        yield sentence(min(suspects, key=lambda suspect: suspect.kind not in ("read", "write")), session.suspects.stall_count)
    for change in session.changes:
        if change.enough:
            yield f"{change.mark.text}: {change.text} ({format_ns(change.span_ns)} before and after)."
    lost = {name: count for name, count in session.losses.items() if count}
    if lost:
        yield "Not everything was seen: " + ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in lost.items()) + " lost."
    if digest.rolled_up:
        yield (
            f"This is the end of a longer recording: {digest.rolled_up:,} earlier frames were rolled up (--keep, --max-size)"
            " and are not in this report."
        )
    gaps = [gap for gap in session.gaps if gap.end_ns - gap.begin_ns > session.settings.tick_ns]
    if gaps:
        total_ns = sum(gap.end_ns - gap.begin_ns for gap in gaps)
        yield f"There are {len(gaps)} gaps of {format_ns(total_ns)} in all; they are drawn as gaps, not as stalls."


def _stalls(digest: Digest) -> Iterator[str]:
    session, counted = digest.session, digest.session.headline()
    threshold = format_ns(session.settings.threshold_ns)
    if counted.stalls:
        hours = session.elapsed_ns / 3.6e12
        rate = f", {counted.stalls / hours:,.3g} an hour" if hours >= 1 else ""
        yield f"{counted.stalls:,} {'write' if counted.stalls == 1 else 'writes'} took longer than {threshold}{rate}."
    else:
        yield f"No write took longer than {threshold}."
    if counted.late_wakes:
        yield (
            f"{counted.late_wakes:,} more were late by as much because the writer was woken late; write() itself was quick then"
            " (late wakes: the host's timer, scheduler or hypervisor)."
        )


def _causes(digest: Digest) -> Iterator[str]:
    top = digest.session.top_causes
    total_ns = sum(each.total_ns for each in top)
    named = [each for each in top if each.cause.explains]
    if named and total_ns:
        first = named[0]
        yield (
            f"Most of the {'lost' if digest.session.late_wakes else 'stalled'} time that could be explained is"
            f" {first.cause.title}: {first.count:,} times, "
            f"{100 * first.total_ns / total_ns:.0f} % of {format_ns(total_ns)}."
        )
    unexplained_ns = total_ns - sum(each.explained_ns for each in top)
    if total_ns and unexplained_ns > total_ns / 100:
        yield f"{100 * unexplained_ns / total_ns:.0f} % of the stalled time is unexplained{_why_unexplained(digest)}."


def _why_unexplained(digest: Digest) -> str:
    tracer = digest.session.tracer
    if tracer is None:
        return ": the writer was not traced"
    return f": {tracer.why.rstrip('.')}" if tracer.level < TraceLevel.FULL and tracer.why else ""


def _memory(digest: Digest) -> Iterator[str]:
    page_bytes = _page_bytes(digest)
    least: dict[int, int] = {}
    for column in digest.columns:
        for node, pages in (column.headroom_pages if column else {}).items():
            least[node] = min(pages, least.get(node, pages))
    if not least or page_bytes is None:
        return
    node = min(least, key=lambda number: least[number])
    room = least[node] * page_bytes
    if room < 0:
        yield f"Node {node} fell {format_bytes(-room)} below its low watermark."
    else:
        yield f"The tightest node was {node}: {format_bytes(room)} above its low watermark at the least."


def _page_bytes(digest: Digest) -> int | None:
    return None if digest.session.host is None else digest.session.host.page_bytes


def percentiles(digest: Digest) -> Table:
    """A row per class and span."""
    rows = []
    for span in (Span.SERVICE, Span.RESPONSE, Span.WAKE):
        for name, kind in CLASSES if span is Span.SERVICE else CLASSES[:1]:
            figures = digest.session.whole(span, kind)
            if figures is not None:
                rows.append((f"{span.name.lower()}, {name}", *_cells(figures)))
    return Table(("", "writes", "p50", "p90", "p99", "p99.9", "p99.99", "worst"), tuple(rows))


def _cells(figures: Quantiles) -> tuple[str, ...]:
    values = (figures.p50_ns, figures.p90_ns, figures.p99_ns, figures.p999_ns, figures.p9999_ns, figures.max_ns)
    return (f"{figures.count:,}", *(format_ns(value) for value in values))


def causes(digest: Digest) -> Table:
    """Top causes by the time they cost."""
    rows = [
        (
            top.cause.title,
            f"{top.count:,}",
            format_ns(top.total_ns),
            format_ns(top.worst_ns),
            f"{100 * top.explained_ns / top.total_ns:.0f} %" if top.total_ns else "n/a",
        )
        for top in digest.session.top_causes
    ]
    return Table(("cause", "stalls", "time", "worst", "explained"), tuple(rows))


def examples(digest: Digest) -> Iterator[Example]:
    """The longest stall of each cause, with what shows it."""
    for top in digest.session.top_causes:
        stall = digest.examples.get(top.cause.name)
        if stall is None:
            continue
        main = stall.verdict.main
        hidden = len(main.chain) - LISTED_FRAMES
        chain = (*main.chain[:LISTED_FRAMES], *([f"... {hidden} more"] if hidden > 0 else []))
        yield Example(
            title=top.cause.title,
            heading=_heading(digest, stall),
            says=top.cause.says,
            evidence=main.evidence,
            chain=chain,
            parts=tuple(
                f"{format_ns(share.spent_ns)} {cause_named(share.cause).title}"
                + (" (coincided, not proven)" if share.confidence is Confidence.COINCIDED and share.explains else "")
                for share in stall.verdict.shares
            ),
            advice=tuple(advice.text for advice in stall.advice()),
        )


def _heading(digest: Digest, stall: Explained) -> str:
    write = stall.write
    kind = write.write_class.name.lower().replace("_", "-")
    return f"{format_ns(stall.verdict.span_ns)} at {clock(digest, write.begin_ns)}, {kind} write on CPU {write.cpu}"


def longest(digest: Digest) -> Table:
    """The longest stalls in write() itself."""
    return _listed(digest, digest.longest[:LISTED_STALLS])


def latest(digest: Digest) -> Table:
    """The latest wakes."""
    return _listed(digest, digest.latest[:LISTED_LATE_WAKES])


def _listed(digest: Digest, stalls: Sequence[Explained]) -> Table:
    rows = []
    for stall in stalls:
        write, suspect = stall.write, stall.suspect
        by = "" if suspect is None else (suspect.by.comm or suspect.by.command)
        times = (format_ns(write.service_ns), format_ns(write.response_ns))
        kind = write.write_class.name.lower().replace("_", "-")
        rows.append((clock(digest, write.begin_ns), *times, stall.cause.title, by, kind, f"{write.cpu}"))
    return Table(("at", "service", "response", "cause", "beside it", "class", "CPU"), tuple(rows))


def suspects(digest: Digest) -> list[str]:
    """A sentence each, the worst first."""
    ranked = digest.session.suspects.ranked()[:LISTED_SUSPECTS]
    return [sentence(suspect, digest.session.suspects.stall_count) for suspect in ranked]


def marks(digest: Digest) -> Table:
    """What was done when, numbered as in the chart."""
    rows = [
        (f"{number}", clock(digest, mark.at_ns), mark.kind, mark.text)
        for number, mark in enumerate(digest.session.marks, 1)
        if number <= LISTED_MARKS
    ]
    return Table(("", "at", "kind", "what"), tuple(rows))


def host(digest: Digest) -> Iterator[tuple[str, str]]:
    """Facts: (name, value)."""
    session = digest.session
    host, settings = session.host, session.settings
    if host is not None:
        yield "host", host.hostname
        yield "kernel", f"Linux {host.kernel}"
        yield "CPUs online", f"{len(host.cpus_online)}"
        yield "CPU", host.cpu or "n/a"
        for shape in host.nodes:
            memory = format_bytes(shape.total_bytes) if shape.has_memory else "no memory"
            distances = " ".join(f"{to}:{distance}" for to, distance in shape.distances.items())
            yield f"node {shape.node}", f"{memory}, {len(shape.cpus)} CPUs, distances {distances or 'n/a'}"
        if (target := host.target) is not None:
            yield "written to", f"{target.directory} on {target.filesystem} ({target.device}, {target.mount_options})"
        yield "clock source", host.clocksource or "n/a"
        yield "MGLRU", host.mglru or "n/a"
        yield "run as", host.privilege
    yield "writes", f"{settings.write_bytes} bytes every {format_ns(settings.interval_ns)}, {settings.mode.name.lower()}"
    yield "prewarming", _prewarm(settings.prewarm, settings.prewarm_bytes)
    yield "pinned to CPUs", ", ".join(map(str, settings.cpus)) or "not pinned"
    yield "scheduling", f"FIFO {settings.fifo_priority}" if settings.fifo_priority else "normal"
    yield "memory policy", settings.policy.name.lower()
    for name, state in sorted(session.knobs.items()):
        if state.current is not None:
            before = "" if state.original in (None, state.current) else f" (before wlat: {state.original})"
            yield name, state.current + before


def _prewarm(method: Prewarm, ahead_bytes: int) -> str:
    return "off" if method is Prewarm.OFF else f"{method.name.lower()}, {format_bytes(ahead_bytes)} ahead"


def method(digest: Digest) -> Iterator[str]:
    """How it was measured, and what the figures do not say."""
    session = digest.session
    settings, facts = session.settings, digest.facts
    yield (
        f"A native thread wrote {settings.write_bytes} bytes every {format_ns(settings.interval_ns)} to nameless files and "
        "timed every write. Service is what write() itself took; response counts from the moment the write was planned, so "
        "that waiting behind a slow write is not left out; wake is how late the thread came to write."
    )
    yield (
        "Percentiles come from merged histograms (within "
        + (f"0.1 %, here recorded coarsely: within {within(facts)}" if facts.get("compact") else within(facts))
        + "); the worst is exact. A percentile that so few writes cannot show is n/a."
    )
    yield (
        "Only a write that begins a page can meet page allocation and reclaim, so they are counted apart; prepared: the "
        "precursor had been there before."
    )
    yield (
        "Headroom is what a node has free above its low watermark and reserves, at its least in each stretch that is drawn. "
        "Per-CPU counters make it uncertain by the drift of the node."
    )
    tracer = session.tracer
    if tracer is None:
        yield "The writer was not traced: what stalls consist of can only be guessed from counters, and mostly is unexplained."
    elif tracer.level < TraceLevel.FULL:
        yield f"The writer was traced in part only ({tracer.level.name.lower()}): {tracer.why or 'no reason is given'}"
    else:
        yield "The writer was traced with kernel call chains; who disturbed it is seen by overlap in time, which is no proof."
    blind = [watch for watch in session.watches or () if not watch.armed]
    if blind:
        yield "Not watched: " + "; ".join(f"{watch.name} ({watch.why})" for watch in blind) + "."
    yield "SCHED_FIFO and /dev/cpu_dma_latency, where they were on, make it look better than a program without them has it."
    ended = facts.get("ended")
    reason = ended.get("reason") if isinstance(ended, dict) else None
    yield (
        f"Recorded by wlat {facts.get('wlat', 'n/a')} from {facts.get('source', 'n/a')}; "
        + (f"it ended because: {reason}." if reason else "it was not closed in order, so its end may be missing.")
    )
