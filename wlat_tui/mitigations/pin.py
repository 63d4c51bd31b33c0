"""Pinning the writer to CPUs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from wlat_tui.kernel.cpulist import format_cpulist, parse_cpulist
from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.writer_setting import WriterSetting

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

ANY = "any"


class Pin(WriterSetting):
    name = "pin"
    title = "Pin writer"
    why = (
        "A thread that may run anywhere is moved between CPUs and nodes: it arrives with cold caches, and because pages of a "
        "file are placed on the node of the CPU that writes them, its memory follows it around. Source: sched_setaffinity(2), "
        "mm/mempolicy.c."
    )
    expect = "Fewer late wakes; with a node chosen, pages come from that node only while it has any above its low watermark."
    caution = "A pinned writer cannot get out of the way: interrupts and other work on that CPU now always hit it."
    refusals = (("cpus", "the writer cannot be pinned there", None),)

    def choices(self, session: Session) -> tuple[Choice, ...]:
        found = [Choice(ANY, "any CPU", "sched_setaffinity() back to every CPU wlat was started with")]
        for node in session.host.nodes if session.host else ():
            if node.cpus:
                found.append(_choice(f"node {node.node}", f"CPUs of node {node.node}", format_cpulist(node.cpus)))
        cpu = session.writer.cpu if session.writer else -1
        if cpu >= 0:
            found.append(_choice(str(cpu), f"CPU {cpu}, where it is now", str(cpu)))
        now = self.current(session)
        if now not in {choice.value for choice in found}:
            found.append(_choice(now, f"CPUs {now}", now))
        return tuple(found)

    def current(self, session: Session) -> str:
        cpus = session.settings.cpus
        if not cpus:
            return ANY
        for node in session.host.nodes if session.host else ():
            if node.cpus == cpus and len(cpus) > 1:
                return f"node {node.node}"
        return format_cpulist(cpus)

    def parse(self, value: str, session: Session) -> dict[str, Any]:
        if value == ANY:
            return {"cpus": ()}
        if (named := re.fullmatch(r"node\s*([0-9]{1,4})", value)) is not None:
            return {"cpus": _cpus_of(int(named[1]), session)}
        cpus = parse_cpulist(value)
        if not cpus:
            raise ValueError("give CPUs such as 2 or 0-3,8, a node such as 'node 1', or 'any'")
        online = session.host.cpus_online if session.host else cpus
        if missing := sorted(set(cpus) - set(online)):
            raise ValueError(f"CPU {missing[0]} is not online here (online: {format_cpulist(online)})")
        return {"cpus": cpus}


def _choice(value: str, label: str, cpus: str) -> Choice:
    return Choice(value, label, f"sched_setaffinity() of the writer to {cpus}")


def _cpus_of(number: int, session: Session) -> tuple[int, ...]:
    nodes = {node.node: node.cpus for node in session.host.nodes} if session.host else {}
    if number not in nodes:
        raise ValueError(f"there is no node {number} here (nodes: {format_cpulist(nodes) or 'not known yet'})")
    if not nodes[number]:
        raise ValueError(f"node {number} has no CPU to run on (memory only); a memory policy can still place pages there")
    return nodes[number]
