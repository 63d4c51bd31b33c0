"""Call chains: names without compiler suffixes, and which cause a chain gives away."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import lru_cache

from wlat_tui.causes.cause import Cause, Family, Signature, Waiting

INTERRUPT_ENTRIES = ("asm_sysvec_", "sysvec_", "asm_common_interrupt", "common_interrupt", "handle_softirqs", "__do_softirq")
"""Beginnings of frames that mean: what lies inside was done on top of the writer, not by its write().

``irqentry_exit*`` and ``__irq_exit_rcu`` lie inside one of these.
"""


@lru_cache(8192)
def plain(frame: str) -> str:
    """``get_partial_node.part.0`` -> ``get_partial_node``, ``kmem_cache_alloc_noprof`` -> ``kmem_cache_alloc``."""
    return sys.intern(frame.split(".", 1)[0].removesuffix("_noprof"))


_TRACING = ("__traceiter_", "perf_trace_", "trace_event_", "__bpf_trace_")


@lru_cache(4096)
def plain_chain(chain: tuple[str, ...]) -> tuple[str, ...]:
    """Every frame without its suffixes, innermost first; those of the tracing itself are left out."""
    return tuple(plain(frame) for frame in chain if not frame.startswith(_TRACING))


def on_interrupt(chain: Sequence[str]) -> bool:
    """Whether the chain (plain) was taken inside an interrupt or softirq that hit the writer."""
    return any(frame.startswith(INTERRUPT_ENTRIES) for frame in chain)


class Matcher:
    """Finds the cause that a chain gives away: the one whose anchor is innermost."""

    def __init__(self, causes: Iterable[Cause]) -> None:
        self._exact: dict[str, list[tuple[Cause, Signature]]] = {}
        self._begins: list[tuple[str, Cause, Signature]] = []
        for cause in causes:
            for signature in cause.signatures:
                for anchor in sorted(signature.anchors):
                    if anchor.endswith("*"):
                        self._begins.append((anchor[:-1], cause, signature))
                    else:
                        self._exact.setdefault(anchor, []).append((cause, signature))
        self._known: dict[tuple[tuple[str, ...], Waiting], Cause | None] = {}

    def match(self, chain: tuple[str, ...], waiting: Waiting) -> Cause | None:
        """The cause of a plain chain; None: no signature fits. Chains repeat, so answers are kept (a bounded number)."""
        key = (chain, waiting)
        if key not in self._known:
            if len(self._known) >= 2048:
                self._known.clear()
            self._known[key] = self._find(chain, waiting)
        return self._known[key]

    def _find(self, chain: tuple[str, ...], waiting: Waiting) -> Cause | None:
        interrupted = on_interrupt(chain)
        for frame in chain:
            candidates: list[tuple[Cause, Signature]] = [
                *self._exact.get(frame, ()),
                *((cause, signature) for begin, cause, signature in self._begins if frame.startswith(begin)),
            ]
            for cause, signature in candidates:
                if interrupted and cause.family is not Family.INTERRUPT:
                    continue
                if waiting in signature.waiting and _fits(signature, chain):
                    return cause
        return None


def _fits(signature: Signature, chain: Sequence[str]) -> bool:
    return (not signature.beside or _any_of(signature.beside, chain)) and not _any_of(signature.without, chain)


def _any_of(names: frozenset[str], chain: Sequence[str]) -> bool:
    return any(frame in names or any(name.endswith("*") and frame.startswith(name[:-1]) for name in names) for frame in chain)
