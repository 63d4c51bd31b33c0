"""The memory policy of the writer and the precursor."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from wlat_tui.frame import Policy
from wlat_tui.kernel.cpulist import format_cpulist, parse_cpulist
from wlat_tui.mitigations import Choice
from wlat_tui.mitigations.writer_setting import WriterSetting

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

_CALLS = {
    Policy.DEFAULT: "MPOL_DEFAULT",
    Policy.LOCAL: "MPOL_LOCAL",
    Policy.BIND: "MPOL_BIND",
    Policy.PREFER: "MPOL_PREFERRED",
    Policy.INTERLEAVE: "MPOL_INTERLEAVE",
}


class MemoryPolicy(WriterSetting):
    name = "policy"
    title = "Memory policy"
    why = (
        "Decides which node the page cache pages of a write() come from. By default the local node is tried first and others "
        "when it is below its low watermark or over its share of dirty pages. 'bind' never leaves the given nodes and reclaims "
        "there instead. Source: set_mempolicy(2), mm/mempolicy.c, mm/page_alloc.c get_page_from_freelist."
    )
    expect = (
        "Binding to a node with headroom takes a full node out of the write path; binding to a full one shows its reclaim "
        "undiluted."
    )
    caution = "With 'bind' and every bound node below min the writer reclaims by itself, although other nodes are free."
    refusals = (("policy", "the memory policy is not in force", None),)

    def choices(self, session: Session) -> tuple[Choice, ...]:
        nodes = [node.node for node in session.host.nodes if node.has_memory] if session.host else []
        found = [_choice(Policy.DEFAULT, ()), _choice(Policy.LOCAL, ())]
        if len(nodes) <= 8:  # on larger machines the list would be all nodes; any can be typed
            found += [_choice(policy, (node,)) for policy in (Policy.BIND, Policy.PREFER) for node in nodes]
        if len(nodes) > 1:
            found.append(_choice(Policy.INTERLEAVE, tuple(nodes)))
        now = _choice(session.settings.policy, session.settings.policy_nodes)
        return tuple(found if now in found else [*found, now])

    def current(self, session: Session) -> str:
        return _value(session.settings.policy, session.settings.policy_nodes)

    def parse(self, value: str, session: Session) -> dict[str, Any]:
        if (named := re.fullmatch(r"node\s*([0-9]{1,4})", value)) is not None:
            value = f"bind:{named[1]}"
        name, _, listed = value.partition(":")
        policy = Policy.__members__.get(name.strip().upper())
        nodes = parse_cpulist(listed) if policy is not None else ()
        if policy is None or (policy in (Policy.BIND, Policy.PREFER, Policy.INTERLEAVE)) != bool(nodes):
            raise ValueError(f"'{value[:40]}' is not a memory policy: give default, local, bind:N, prefer:N or interleave:N,M")
        if policy is Policy.PREFER and len(nodes) > 1:
            raise ValueError("prefer takes one node, such as prefer:0")
        known = [node.node for node in session.host.nodes if node.has_memory] if session.host else list(nodes)
        if missing := sorted(set(nodes) - set(known)):
            raise ValueError(f"node {missing[0]} has no memory here (nodes with memory: {format_cpulist(known)})")
        return {"policy": policy, "policy_nodes": nodes}


def _value(policy: Policy, nodes: tuple[int, ...]) -> str:
    return f"{policy.name.lower()}:{format_cpulist(nodes)}" if nodes else policy.name.lower()


def _choice(policy: Policy, nodes: tuple[int, ...]) -> Choice:
    where = f" node {format_cpulist(nodes)}" if nodes else ""
    call = f"set_mempolicy({_CALLS[policy]}{where and ','}{where})"
    return Choice(_value(policy, nodes), f"{policy.name.lower()}{where}", f"{call} in the writer and the precursor")
