"""Call chains folded into one tree, with the time spent below each function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wlat_tui.causes import Phase


@dataclass(slots=True)
class _Node:
    spent_ns: int = 0
    below: dict[str, _Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Folded:
    """A run of functions that were always called by one another."""

    depth: int
    spent_ns: int
    functions: tuple[str, ...]
    """The outermost first."""


def folded(phases: Sequence[Phase]) -> list[Folded]:
    """The tree of all chains, outermost functions first, of siblings the longest first. Phases without a chain are left out."""
    root = _Node()
    for phase in phases:
        node = root
        node.spent_ns += phase.length_ns if phase.chain else 0
        for function in reversed(phase.chain):
            node = node.below.setdefault(function, _Node())
            node.spent_ns += phase.length_ns
    runs: list[Folded] = []
    _fold(root, 0, runs)
    return runs


def _fold(node: _Node, depth: int, runs: list[Folded]) -> None:
    for name, first in sorted(node.below.items(), key=lambda pair: -pair[1].spent_ns):
        functions, last = [name], first
        while len(last.below) == 1:
            (name, only), *_ = last.below.items()
            if only.spent_ns != last.spent_ns:  # some of the time was spent in the caller itself
                break
            functions.append(name)
            last = only
        runs.append(Folded(depth, first.spent_ns, tuple(functions)))
        _fold(last, depth + 1, runs)
