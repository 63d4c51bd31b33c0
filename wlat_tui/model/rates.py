"""Change per second between two readings of the same counters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class Rates(Mapping[str, float]):
    """Rates of every row that both readings have, worked out when asked: a node prints some 150 rows, a screen shows ten."""

    def __init__(self, before: Mapping[str, int], now: Mapping[str, int], seconds: float) -> None:
        self._before, self._now, self._seconds = before, now, seconds

    def __getitem__(self, name: str) -> float:
        if self._seconds <= 0:
            raise KeyError(name)
        return (self._now[name] - self._before[name]) / self._seconds

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._now if name in self._before and self._seconds > 0)

    def __len__(self) -> int:
        return sum(1 for _ in self)


NO_RATES = Rates({}, {}, 0)
