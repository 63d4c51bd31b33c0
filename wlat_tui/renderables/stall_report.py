"""Everything that is known about one stall, as lines and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from wlat_tui.causes import Advice, Confidence, Family, Phase, cause_named
from wlat_tui.evidence import Disturbance, TraceLevel
from wlat_tui.model.stalls import Explained
from wlat_tui.renderables.causes import FAMILY_MARKS
from wlat_tui.renderables.chains import folded
from wlat_tui.renderables.figures import CLASS_NAMES
from wlat_tui.renderables.glyphs import Glyphs
from wlat_tui.renderables.line import Line, merged
from wlat_tui.renderables.stall_timeline import timeline
from wlat_tui.units import format_bytes, format_ns

HOLDER_UNKNOWN = "Holder unknown: the kernel records who waits for a lock, not who holds it, and nobody was seen taking it."
_PHASES_SHOWN = 12
_EVIDENCE_CELLS = 40
"""Evidence stands beside its phase where so much is left, else below it."""
_DEEDS = {
    "read": "read",
    "write": "wrote to",
    "fsync": "called fsync on",
    "dirtied": "dirtied pages of",
    "preempted": "took",
    "cpu": "worked as",
    "hook": "is attached to",
}
_LEVELS = {
    TraceLevel.NOTHING: "counters only",
    TraceLevel.SWITCHES: "switches only",
    TraceLevel.CHAINS: "events without their fields",
    TraceLevel.FULL: "events with call chains",
}


def headline(one: Explained, when: str) -> str:
    """``39.0ms at 09:00:42: direct reclaim``."""
    return f"{format_ns(one.verdict.span_ns)} at {when}: {one.cause.title}"


def how_known(one: Explained) -> str:
    """How sure the verdict is, and how much of the time it covers."""
    verdict = one.verdict
    sure = "traced on the writer" if verdict.confidence is Confidence.TRACED else "it coincided, which is no proof"
    lost = f"; {verdict.lost:,} records lost" if verdict.lost else ""
    if verdict.omitted:
        lost += f"; {verdict.omitted:,} short turns of others on its CPUs left out"
    if not one.cause.explains:
        sure = f"seen with {_LEVELS[verdict.level]}"
    return f"{sure}; {verdict.explained_pct:.0f} % of the time explained{lost}"


def deed(other: Disturbance) -> str:
    """Who did what meanwhile, in one sentence without a full stop."""
    by = other.by
    name = "wlat itself" if other.own else by.command or by.comm or "a process that was gone"
    where = f" in {by.container}" if by.container else ""
    pid = "" if other.own else f" (pid {by.pid}{where})"
    if other.kind == "dirtied":
        return f"{name}{pid} dirtied {format_bytes(other.count)} of {other.what}"
    times = f" {other.count:,} times" if other.count > 1 else ""
    spent = f", {format_ns(other.spent_ns)}" if other.spent_ns is not None else ""
    return f"{name}{pid} {_DEEDS.get(other.kind, other.kind)} {other.what}{times}{spent}"


def facts(one: Explained) -> Iterator[tuple[str, str]]:
    """(name, value) of what was known around it."""
    known, write = one.circumstances, one.write
    yield (
        "write",
        (
            f"{CLASS_NAMES[write.write_class]}, segment {write.segment} offset {write.offset:,}, CPU {write.cpu}; woke "
            f"{format_ns(write.wake_ns)} after its plan, write() took {format_ns(write.service_ns)}"
        ),
    )
    page_bytes = known.host.page_bytes if known.host is not None else None

    def size(pages: int | None) -> str:
        return format_bytes(None if pages is None or page_bytes is None else pages * page_bytes)

    for node in known.nodes:
        kswapd = {True: "kswapd awake", False: "kswapd asleep", None: "kswapd n/a"}[node.kswapd_awake]
        boost = f", watermarks boosted by {size(node.boost_pages)}" if node.boost_pages else ""
        room = f"room above low {size(node.headroom_before_pages)} before, {size(node.headroom_after_pages)} after"
        yield f"node {node.node}", f"{room}; {kswapd}{boost}"
    if known.dirty_pages is not None:
        limits = f" of {size(known.dirty_limit_pages)} (writeback from {size(known.dirty_background_pages)})"
        yield "dirty", f"{size(known.dirty_pages)}{limits}"
    lost = [f"{name} {us / 1000:.1f}ms" for name, us in known.pressure_us.items() if us]
    yield "pressure", ", ".join(lost) or ("none" if known.pressure_us else "n/a: not read around it")
    if known.counters:
        over = f" within {format_ns(known.counters_over_ns)}" if known.counters_over_ns else ""
        yield "counters", ", ".join(f"{name} +{rise:,}" for name, rise in list(known.counters.items())[:8]) + over
    if known.steal_ns:
        yield "host", f"the hypervisor kept this CPU for {format_ns(known.steal_ns)} around it"
    changed = [f"{name}={knob.current} (was {knob.original})" for name, knob in known.knobs.items() if _differs(knob)]
    if known.settings.prewarm:
        changed.append(f"prewarm={known.settings.prewarm.name.lower()}")
    if known.fifo:
        changed.append("SCHED_FIFO")
    yield "mitigations", ", ".join(changed) or "none on"


def _differs(knob: object) -> bool:
    original, current = getattr(knob, "original", None), getattr(knob, "current", None)
    return original is not None and original != current


def lines(one: Explained, when: str, advice: tuple[Advice, ...], width: int, glyphs: Glyphs) -> Iterator[Line]:
    """The whole report for lines of *width* cells."""
    letter, role = FAMILY_MARKS[one.cause.family]
    yield merged([(f"{letter} ", role), (headline(one, when), "heading")])
    yield from _wrapped(one.cause.says, width, "")
    if one.suspect is not None:
        yield from _wrapped(deed(one.suspect), width, "notice", f"{glyphs.bullet} ")
    elif one.culprit is None and one.cause.family is Family.LOCK:
        yield from _wrapped(HOLDER_UNKNOWN, width, "label")
    yield from _wrapped(how_known(one), width, "label")
    yield ()
    yield from timeline(one.verdict, width, glyphs)
    yield ()
    yield from _phases(one, width, glyphs)
    yield ()
    yield (("What would help here", "heading"),)
    open_switches = switches(advice)
    for each in advice:
        yield from _advice(each, open_switches.index(each) + 1 if each in open_switches else None, width, glyphs)
    if not advice:
        yield (("  nothing that wlat knows of", "dim"),)
    yield from _chains(one, width, glyphs)
    yield ()
    yield (("Who else was busy meanwhile", "heading"),)
    for other in one.circumstances.neighbours:
        mark = glyphs.bullet if other is one.suspect else " "
        yield from _wrapped(deed(other), width, "notice" if other is one.suspect else "", f" {mark} ")
    if not one.circumstances.neighbours:
        yield (("  nobody was seen", "dim"),)
    yield ()
    yield (("What was known then", "heading"),)
    for name, value in facts(one):
        yield from _wrapped(value, width, "", f"  {name:<13}")
    if one.listing:
        yield ()
        yield (("Function graph", "heading"),)
        yield from (((f"  {line}", ""),) for line in one.listing.splitlines())


def _wrapped(text: str, width: int, role: str, lead: str = "") -> Iterator[Line]:
    for number, line in enumerate(wrap(text, max(20, width - len(lead)))):
        yield merged([(lead if number == 0 else " " * len(lead), "label"), (line, role)])  # type: ignore[list-item]


def longest_phases(phases: tuple[Phase, ...]) -> tuple[list[Phase], list[Phase]]:
    """(those worth a row each, in time order; the rest)."""
    kept = set(sorted(range(len(phases)), key=lambda i: -phases[i].length_ns)[:_PHASES_SHOWN])
    return [p for i, p in enumerate(phases) if i in kept], [p for i, p in enumerate(phases) if i not in kept]


def _phases(one: Explained, width: int, glyphs: Glyphs) -> Iterator[Line]:
    verdict = one.verdict
    yield ((f"  {'Phase':<24}{'from':>9}{'took':>9}{'share':>7}  {'evidence' if width >= 95 else ''}", "label"),)
    shown, rest = longest_phases(verdict.phases)
    for phase in shown:
        cause = cause_named(phase.cause)
        letter, role = FAMILY_MARKS[cause.family]
        share = 100 * phase.length_ns / max(1, verdict.span_ns)
        sure = "~" if phase.confidence is Confidence.COINCIDED and cause.explains else " "
        figures = f"{'+' + format_ns(phase.begin_ns - verdict.begin_ns):>9}{format_ns(phase.length_ns):>9}{share:>6.1f}%  "
        lead = f"{letter} {sure}{cause.title:<23}"[:26] + figures
        beside = width >= len(lead) + _EVIDENCE_CELLS
        indent = len(lead) if beside else 5
        evidence = wrap(phase.evidence, max(20, width - indent))
        yield merged([(letter, role), (lead[1:], ""), (evidence.pop(0) if beside and evidence else "", "dim")])
        yield from (((f"{'':{indent}}{line}", "dim"),) for line in evidence)
    if rest:
        spent = format_ns(sum(phase.length_ns for phase in rest))
        yield ((f"  {f'{len(rest)} shorter ones':<24}{'':>9}{spent:>9}", "label"),)
    if len(verdict.shares) > 1:
        sums = f" {glyphs.separator} ".join(
            f"{cause_named(s.cause).title} {format_ns(s.spent_ns)} ({100 * s.spent_ns / max(1, verdict.span_ns):.1f}%)"
            for s in verdict.shares
        )
        yield from _wrapped(sums, width, "", "  in all: ")


def _chains(one: Explained, width: int, glyphs: Glyphs) -> Iterator[Line]:
    runs = folded(one.verdict.phases)
    if not runs:
        return
    yield ()
    yield (("Where in the kernel (time below each function)", "heading"),)
    for run in runs:
        names = f" {glyphs.arrow} ".join(run.functions)
        lead = f"  {format_ns(run.spent_ns):>7}  {'  ' * run.depth}"
        yield from _wrapped(names, width, "", lead)


def switches(advice: tuple[Advice, ...]) -> list[Advice]:
    """Those that wlat has a switch for, by the digit that opens it: the first is 1."""
    return [each for each in advice if each.mitigation is not None][:9]


def _advice(each: Advice, number: int | None, width: int, glyphs: Glyphs) -> Iterator[Line]:
    yield from _wrapped(each.text, width, "dim" if each.active else "", f"  {number or glyphs.separator}  ")
    if number is not None and not each.active:
        value = f" = {each.value}" if each.value is not None else ""
        yield ((f"     {number} opens the switch: {each.mitigation}{value}", "mark"),)
    if each.command is not None:
        yield ((f"     # {each.command}", "heading"),)


def markdown(one: Explained, when: str, advice: tuple[Advice, ...]) -> str:
    """The same for a ticket."""
    verdict = one.verdict
    parts = [f"## Stall: {headline(one, when)}", one.cause.says]
    if one.suspect is not None:
        parts.append(f"**{_cell(deed(one.suspect))}**")
    elif one.culprit is None and one.cause.family is Family.LOCK:
        parts.append(HOLDER_UNKNOWN)
    parts.append(f"*{how_known(one)}.*")
    rows = ["| phase | from | took | share | evidence |", "|---|---|---|---|---|"]
    for phase in longest_phases(verdict.phases)[0]:
        share = 100 * phase.length_ns / max(1, verdict.span_ns)
        cells = (format_ns(phase.begin_ns - verdict.begin_ns), format_ns(phase.length_ns), f"{share:.1f} %")
        rows.append(f"| {cause_named(phase.cause).title} | {' | '.join(cells)} | {_cell(phase.evidence)} |")
    parts.append("\n".join(rows))
    if runs := folded(verdict.phases):
        tree = [f"{format_ns(run.spent_ns):>8}  {'  ' * run.depth}{' -> '.join(run.functions)}" for run in runs]
        parts.append("```\n" + "\n".join(tree) + "\n```")
    helps = [f"- {each.text}" + (f" `{each.command}`" if each.command else "") for each in advice]
    parts.append("\n".join(["**What would help**", "", *(helps or ["- nothing that wlat knows of"])]))
    others = [f"- {_cell(deed(other))}" for other in one.circumstances.neighbours]
    parts.append("\n".join(["**Who else was busy**", "", *(others or ["- nobody was seen"])]))
    parts.append("\n".join(["**What was known then**", "", *(f"- {name}: {_cell(value)}" for name, value in facts(one))]))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
