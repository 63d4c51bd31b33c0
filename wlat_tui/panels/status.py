"""The top of the screen: which host, what is written where, what was lost, what the monitor itself costs."""

from __future__ import annotations

import errno
import os
from textwrap import wrap
from typing import ClassVar

from wlat_tui.frame import Host, Policy, WriterTick
from wlat_tui.frame import Span as Timed
from wlat_tui.kernel.cpulist import format_cpulist
from wlat_tui.mitigations.refusals import Refusal, refusals
from wlat_tui.model.percentiles import span_ns
from wlat_tui.model.session import Session
from wlat_tui.panels.panel import HALF_AS_OFTEN_NS, Panel
from wlat_tui.renderables.line import Line, Role, Span, first_fitting, fit, merged, width_of
from wlat_tui.units import format_bytes, format_ns

_POLICIES = {0: "SCHED_OTHER", 1: "FIFO", 2: "RR", 3: "BATCH", 5: "IDLE"}
_NOTICE_NS = 20_000_000_000


class StatusPanel(Panel, can_focus=False):
    """Three rows: the host and target, the writer, and what needs attention."""

    title: ClassVar[str] = "Status"
    rest_ns: ClassVar[int] = HALF_AS_OFTEN_NS
    key: ClassVar[str] = ""
    help: ClassVar[str] = "Host and target; the writer's CPU, node and rate; losses and the monitor's own cost; trouble in red."

    def __init__(self, description: str, *, id: str) -> None:
        super().__init__(id=id)
        self.description = description
        self.mode = ""
        """PAUSED, low-bandwidth …: how the view differs from the live one."""
        self.sent_per_s: float | None = None
        self._host: Host | None = None
        self._first: list[Line] = []
        self._second: list[Line] = []
        self._third: dict[Timed, list[Line]] = {}
        self._elapsed = ""
        self._missing: str | None = None
        self.span = Timed.SERVICE
        """Which time of the worst write is told."""
        self._refused: tuple[Refusal, ...] = ()
        self._refused_at_ns = 0

    def take(self, session: Session) -> None:
        refused = refusals(session)
        if {r.name for r in refused} - {r.name for r in self._refused}:
            self._refused_at_ns = session.now_ns
        self._refused = refused
        self._elapsed = _clock(session.elapsed_ns)
        self._missing = session.writer_missing
        if not self._first or session.host is not self._host:
            self._host, self._first = session.host, self._host_lines(session)
        self._second = self._writer_lines(session)
        self._third = {span: self._attention(session, span) for span in (Timed.SERVICE, Timed.RESPONSE)}

    def _heading(self, width: int) -> Line:
        right: Line = ((f" {self.mode} ", "bad") if self.mode else ("", ""), (f" {self._elapsed}", ""))
        room = width - width_of(right)
        return merged([*fit(first_fitting(self._first, room, self.glyphs.ellipsis), room, self.glyphs.ellipsis), *right])

    def body(self, width: int, height: int) -> list[Line]:
        if self._missing is not None:
            lines = wrap(self._missing, max(1, width - 1))
            if len(lines) > 1:  # why nothing is measured matters more than the rest
                return [((f" {line}", "worst"),) for line in lines[:2]]
        return [
            first_fitting(self._second, width, self.glyphs.ellipsis),
            first_fitting(self._third.get(self.span, ()), width, self.glyphs.ellipsis),
        ]

    def _host_lines(self, session: Session) -> list[Line]:
        name: list[Span] = [(" wlat ", "focus")]
        demo = "demo" in self.description.lower()
        if demo:
            name.append((" DEMO, nothing here is real ", "notice"))
        host = session.host
        if host is None:
            return [merged([*name, (f" {self.description}: waiting for the first report", "dim")])]
        name.append((f" {host.hostname}", "heading"))
        kernel: list[Span] = [(f" {self.glyphs.separator} Linux {host.kernel}", "label")]
        target = host.target
        if target is None:
            return [merged([*name, *kernel, (f" {self.glyphs.separator} target n/a", "dim")])]
        place: list[Span] = [(f" {self.glyphs.separator} ", "label"), (f"{target.filesystem} on {target.device}", "")]
        options: list[Span] = [(f" ({target.mount_options})", "dim")]
        return [merged([*name, *kernel, *place, *options]), merged([*name, *kernel, *place]), merged([*name, *place])]

    def _writer_lines(self, session: Session) -> list[Line]:
        tick = session.writer
        if tick is None:
            return [
                (
                    (
                        f" {session.writer_missing or 'no report from the writer yet'}",
                        "worst" if session.writer_missing else "dim",
                    ),
                )
            ]
        where = f" writer on CPU {tick.cpu}, node {tick.node}"
        priority = f" {tick.sched_priority}" if tick.sched_priority else ""
        policy = f" {self.glyphs.separator} {_POLICIES.get(tick.sched_policy, f'policy {tick.sched_policy}')}{priority}"
        unusual = policy if tick.sched_policy != os.SCHED_OTHER else ""
        memory = session.settings.policy
        if memory is not Policy.DEFAULT:
            nodes = f" {format_cpulist(session.settings.policy_nodes)}" if session.settings.policy_nodes else ""
            unusual += (told := f" {self.glyphs.separator} memory {memory.name.lower()}{nodes}")
            policy += told
        asked, rate = session.asked_rate_per_s, session.rate_per_s
        slow = rate is not None and rate < asked * 0.98
        speed: list[Span] = [
            (f" {self.glyphs.separator} ", "label"),
            ("n/a" if rate is None else f"{rate:,.0f}", "warn" if slow else ""),
        ]
        speed.append((f" of {asked:,.0f} writes/s", "label"))
        lost = {name: count for name, count in session.losses.items() if count} | (
            {"slots skipped": session.skipped_slots} if session.skipped_slots else {}
        )
        losses: list[Span] = [(f" {self.glyphs.separator} ", "label")]
        losses.append(
            ("lost " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in lost.items()), "warn")
            if lost
            else ("nothing lost", "label")
        )
        cost = self._cost(session)
        losses += self._refusals()
        short: list[Span] = [(f" CPU {tick.cpu}", "label"), *speed]
        return [
            merged([(where, "label"), (policy, "label"), *speed, *losses, *cost]),
            merged([(where, "label"), (unusual, "label"), *speed, *losses, *cost]),
            merged([(where, "label"), (unusual, "label"), *speed, *losses]),
            merged([*short, *losses]),
            merged([*short, *losses[:2], (f" {self.glyphs.separator} {len(self._refused)} refused (d)", "warn")]),
        ]

    def _refusals(self) -> list[Span]:
        if not self._refused:
            return []
        return [(f" {self.glyphs.separator} ", "label"), ("refused: " + ", ".join(r.name for r in self._refused), "warn")]

    def _cost(self, session: Session) -> list[Span]:
        cost = session.cost
        sent = "" if self.sent_per_s is None else f", {format_bytes(self.sent_per_s)}/s sent"
        if cost is None:
            return [(f" {self.glyphs.separator} cost n/a yet{sent}", "dim")]
        monitor_pct = cost.monitor_cpu_pct + cost.engine_cpu_pct
        total = f" {self.glyphs.separator} monitor costs {monitor_pct:.1f}% + writer {cost.writer_cpu_pct:.1f}% CPU"
        return [(f"{total}{sent}", "label")]

    def _attention(self, session: Session, span: Timed) -> list[Line]:
        """The most pressing thing, the longest wording first."""
        tick = session.writer
        if tick is not None and (trouble := _trouble(tick, session.now_ns)):
            return [((f" {trouble}", "bad"),)]
        inflight_ns = session.headline().inflight_ns
        if inflight_ns is not None:
            return [((f" a write has been inside the kernel for {format_ns(inflight_ns)} and has not returned yet", "bad"),)]
        if session.notices and session.now_ns - session.notices[-1].at_ns < _NOTICE_NS:
            return [((f" {session.notices[-1].text}", "notice"),)]
        gap = session.gaps[-1] if session.gaps else None
        # until the engine has started nothing was missed
        if gap is not None and gap.begin_ns > session.started_ns and session.now_ns - gap.end_ns < _NOTICE_NS:
            return [((f" gap of {format_ns(gap.end_ns - gap.begin_ns)}: {gap.reason}", "notice"),)]
        if self._refused and session.now_ns - self._refused_at_ns < _NOTICE_NS:
            newest = self._refused[0]
            text: Line = ((f" {newest.name}: {newest.reason}", "notice"),)
            return [(*text, ("  d shows the command that helps", "label")), text]
        return self._worst(session, span)

    def _worst(self, session: Session, span: Timed) -> list[Line]:
        headline = session.headline()
        ever = session.worst_ever(span)
        if ever is None:
            return [((" no write has finished yet", "dim"),)]
        ago = format_ns(max(0, session.now_ns - ever.end_ns))
        worst_ns = span_ns(ever, span)
        role: Role = "worst" if worst_ns > session.settings.threshold_ns else "good"
        spans: list[Span] = [(f" worst so far ({span.name.lower()}) ", "label"), (format_ns(worst_ns), role)]
        when = f", {ago} ago"
        room_of: list[Span] = []
        tightest = headline.tightest
        if tightest is not None and tightest.headroom_pages is not None and session.host is not None:
            room = tightest.headroom_pages * session.host.page_bytes
            size = f"{format_bytes(abs(room))} {'above' if room >= 0 else 'BELOW'} low"
            role = "label" if room >= 0 else "warn"
            room_of = [(f" {self.glyphs.separator} tightest node {tightest.node}: ", "label"), (size, role)]
        return [
            merged([*spans, (f"{when} on CPU {ever.cpu}", "label"), *room_of]),
            merged([*spans, (when, "label"), *room_of]),
            merged([*spans, *room_of]),
        ]


def _trouble(tick: WriterTick, now_ns: int) -> str | None:
    if not tick.trouble:
        return None
    what = {1: "the writer has no file to write to", 2: "writing fails"}.get(tick.trouble, f"trouble {tick.trouble}")
    why = f"{errno.errorcode.get(tick.error, tick.error)}: {os.strerror(tick.error)}" if tick.error else "no reason given"
    return f"{what} ({why}) for {format_ns(max(0, now_ns - tick.trouble_since_ns))}; it goes on by itself when that clears"


def _clock(ns: int) -> str:
    seconds = ns // 1_000_000_000
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
