"""Timelines to scale, folded call chains, marks of causes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.model.makers import a_write
from wlat_tui.causes import CATALOGUE, Confidence, Family, Phase, Verdict
from wlat_tui.causes.phases import shares_of
from wlat_tui.evidence import Disturbance, Thread, TraceLevel
from wlat_tui.frame import Span
from wlat_tui.model.series import Column
from wlat_tui.model.stalls import Circumstances, Explained
from wlat_tui.renderables.causes import FAMILY_MARKS, FAMILY_WORDS, Marked
from wlat_tui.renderables.chains import folded
from wlat_tui.renderables.glyphs import ASCII, UNICODE
from wlat_tui.renderables.latency_strip import LogAxis, latency_strip
from wlat_tui.renderables.line import plain, width_of
from wlat_tui.renderables.stall_report import lines, markdown
from wlat_tui.renderables.stall_timeline import timeline

EXPLAINS = {cause.name: cause.explains for cause in CATALOGUE}
CAUSES = st.sampled_from(["list_lock", "direct_reclaim", "unexplained", "preempted"])
CHAINS = st.lists(st.sampled_from("abcd"), max_size=6).map(tuple)
PHASES = st.lists(st.tuples(CAUSES, st.integers(1, 10**8), CHAINS), min_size=1, max_size=30)


def a_verdict(parts: list[tuple[str, int, tuple[str, ...]]]) -> Verdict:
    phases, at = [], 1_000
    for cause, length_ns, chain in parts:
        phases.append(Phase(cause, at, at + length_ns, Confidence.TRACED, "seen", chain=chain))
        at += length_ns
    shares = shares_of(phases, EXPLAINS)
    return Verdict(1_000, at, shares[0].cause, Confidence.TRACED, tuple(phases), shares, TraceLevel.FULL)


def explained(verdict: Verdict) -> Explained:
    return Explained(a_write(verdict.begin_ns, verdict.span_ns), verdict, Circumstances())


@given(PHASES, st.integers(20, 200), st.sampled_from([ASCII, UNICODE]))
def test_a_timeline_is_as_wide_as_asked_and_every_report_can_be_drawn(
    parts: list[tuple[str, int, tuple[str, ...]]], width: int, glyphs: object
) -> None:
    verdict = a_verdict(parts)
    bar, scale = timeline(verdict, width, glyphs)  # type: ignore[arg-type]
    assert (width_of(bar), width_of(scale)) == (width, width)
    one = explained(verdict)
    report = list(lines(one, "09:00:00", one.advice(), max(40, width), ASCII))
    assert any("unexplained" in plain(line) for line in report) >= any(cause == "unexplained" for cause, _, _ in parts[:1])
    assert markdown(one, "09:00:00", one.advice()).count("```") in (0, 2)


def test_a_report_names_who_held_the_lock_or_says_that_it_is_not_known() -> None:
    one = explained(a_verdict([("list_lock", 700, ())]))
    reader = Disturbance("read", "/proc/slabinfo", Thread(77, "watchdog", "watchdog --slabs"), 0, 10_000)
    seen = replace(one, circumstances=replace(one.circumstances, neighbours=(reader,)))
    for report, words in ((one, "Holder unknown"), (seen, "watchdog --slabs (pid 77)")):
        first = " ".join(plain(line) for line in list(lines(report, "09:00:00", (), 150, ASCII))[:5])
        assert words in first
        assert words in markdown(report, "09:00:00", ()).split("|")[0]


def test_a_phase_takes_its_share_of_the_timeline() -> None:
    bar, _ = timeline(a_verdict([("direct_reclaim", 700, ()), ("unexplained", 300, ())]), 100, ASCII)
    assert plain(bar) == "M" + "#" * 69 + "?" + "." * 29


@given(PHASES)
def test_folded_chains_keep_all_time_and_never_give_a_callee_more_than_its_caller(
    parts: list[tuple[str, int, tuple[str, ...]]],
) -> None:
    verdict = a_verdict(parts)
    runs = folded(verdict.phases)
    assert sum(run.spent_ns for run in runs if run.depth == 0) == sum(p.length_ns for p in verdict.phases if p.chain)
    above: list[int] = []
    for run in runs:
        del above[run.depth :]
        assert not above or run.spent_ns <= above[-1]
        above.append(run.spent_ns)


def test_functions_that_always_call_one_another_are_one_line() -> None:
    verdict = a_verdict(
        [("list_lock", 70, ("lock", "slab", "write", "entry")), ("direct_reclaim", 30, ("free", "write", "entry"))]
    )
    runs = folded(verdict.phases)
    assert [(run.depth, run.spent_ns, run.functions) for run in runs] == [
        (0, 100, ("entry", "write")),
        (1, 70, ("slab", "lock")),
        (1, 30, ("free",)),
    ]


def test_a_bar_of_a_known_stall_has_its_letter_on_top_and_its_colour() -> None:
    stall = explained(a_verdict([("list_lock", 30_000_000, ())]))
    marked = Marked()
    marked.take([stall])
    columns = [Column(i, i + 1, ns, ns, None, True, False, ()) for i, ns in enumerate((20_000, 30_000_000, 40_000_000))]
    marks = marked.columns(columns, Span.SERVICE, 1_000_000)
    assert marks == {1: Family.LOCK}
    strip = latency_strip(columns, 9, LogAxis(), 1_000_000, UNICODE, marks)
    column = [plain(line)[7] for line in strip]
    assert column.index("L") == next(i for i, cell in enumerate(column) if cell != " ")
    roles = {role for line in strip for text, role in line if "█" in text}
    assert roles == {"good", "lock", "worst"}


def test_every_family_has_a_letter_of_its_own_and_a_word() -> None:
    assert len({letter for letter, _ in FAMILY_MARKS.values()}) == len(Family) == len(FAMILY_WORDS)
