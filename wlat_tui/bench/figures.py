"""Medians and ratios of interleaved runs, as every benchmark prints them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median


def compare(
    title: str, first: str, second: str, runs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]], unit: str = "us"
) -> list[str]:
    """Lines of a table: each figure's median for both sides, the median of the pairwise ratios, and their range.

    Args:
        title: What is compared.
        first, second: Names of the two sides; the ratio is second / first.
        runs: One (first, second) pair of figures per round; pairs were measured next to each other in time.
        unit: Of the figures.
    """
    lines = [title, f"  {'figure':<22}{first:>14}{second:>14}{'ratio':>9}   range of ratios, {len(runs)} rounds"]
    for name in runs[0][0]:
        a, b = [pair[0][name] for pair in runs], [pair[1][name] for pair in runs]
        ratios = sorted(y / x for x, y in zip(a, b, strict=True) if x > 0)
        if not ratios:
            lines.append(
                f"  {name:<22}{median(a):>12.2f}{unit}{median(b):>12.2f}{unit}{'n/a':>9}   the first side was always 0"
            )
            continue
        sides = f"{median(a):>12.2f}{unit:<2}{median(b):>12.2f}{unit:<2}"
        lines.append(f"  {name:<22}{sides}{median(ratios):>9.3f}   {ratios[0]:.2f} .. {ratios[-1]:.2f}")
    return lines


def against(name: str, value: float, target: float, unit: str) -> str:
    """One line: a figure, its target, and whether it is met."""
    return f"  {name:<34}{value:>12.2f} {unit:<6} target <= {target:g} {unit:<6} {'met' if value <= target else 'MISSED'}"
