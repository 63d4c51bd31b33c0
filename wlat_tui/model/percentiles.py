"""Latency quantiles of a moving window and of the whole session, from merged histograms (never from averaged percentiles)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wlat_tui.frame import HistogramDelta, Span, Write, WriteClass, WriterTick
from wlat_tui.histogram import Histogram

KEPT_NS = 30_000_000_000
"""How long single ticks are kept: the longest window, and the longest "before" of a toggle."""
MOST_TICKS = 1_200
"""Kept at most: twice as many as the shortest tick (50 ms) puts into `KEPT_NS`. In a damaged or foreign file time may stand
still."""
MOST_WAITING = 64
"""Histograms of single ticks that wait to be added up: a dozen seconds' of those that nobody looks at."""
_FRACTIONS = (0.5, 0.9, 0.99, 0.999, 0.9999, 1.0)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Quantiles of some writes, in ns. A quantile that these few writes cannot resolve is None ("n/a"): p99 needs 100 writes,
    p99.9 needs 1,000, p99.99 needs 10,000; with fewer it would only repeat the maximum."""

    count: int
    p50_ns: int
    p90_ns: int
    p99_ns: int | None
    p999_ns: int | None
    p9999_ns: int | None
    max_ns: int
    max_exact: bool
    """True: the exact worst write. False: upper bound of its histogram bucket (0.1 % wide)."""


def span_ns(write: Write, span: Span) -> int:
    """That part of one write's time."""
    if span is Span.WAKE:
        return write.wake_ns
    return write.service_ns if span is Span.SERVICE else write.response_ns


def worst_of(ticks: Iterable[WriterTick], span: Span) -> Write | None:
    """The exact worst write of some ticks; the earliest of equals."""
    writes = (write for tick in ticks if (write := tick.worst[span]) is not None)
    return max(writes, key=lambda write: span_ns(write, span), default=None)


def quantiles(histogram: Histogram, worst_ns: int | None) -> Quantiles | None:
    """Read one histogram out. *worst_ns* is the exact maximum of the same writes, None when only the bucket is known."""
    count = histogram.total
    if count == 0:
        return None
    p50, p90, p99, p999, p9999, top = histogram.quantiles(_FRACTIONS)
    exact = worst_ns is not None
    # a bucket's upper bound may lie above the exact worst; no quantile may
    limit = top if worst_ns is None else worst_ns
    return Quantiles(
        count=count,
        p50_ns=min(p50, limit),
        p90_ns=min(p90, limit),
        p99_ns=min(p99, limit) if count >= 100 else None,
        p999_ns=min(p999, limit) if count >= 1_000 else None,
        p9999_ns=min(p9999, limit) if count >= 10_000 else None,
        max_ns=limit,
        max_exact=exact,
    )


def _past(ticks: deque[WriterTick], now_ns: int, length_ns: int) -> bool:
    """Whether the first of these ticks has to go."""
    return bool(ticks) and (abs(now_ns - ticks[0].end_ns) >= length_ns or len(ticks) > MOST_TICKS)


class _Tally:
    """A histogram that is added to when it is read, or when much has come together: its buckets are cold for the CPU, and most
    of a tick's are those of the tick before."""

    __slots__ = ("_histogram", "_waiting")

    def __init__(self) -> None:
        self._histogram = Histogram()
        self._waiting: list[tuple[HistogramDelta, int]] = []

    def add(self, delta: HistogramDelta, sign: int) -> None:
        self._waiting.append((delta, sign))
        if len(self._waiting) >= MOST_WAITING:
            self.read()

    def read(self) -> Histogram:
        waiting, self._waiting = self._waiting, []
        for delta, sign in waiting:
            self._histogram.add(delta, sign)
        return self._histogram


class _Population:
    """Histograms of one stretch of time: by span and class, and by span over all classes. Made when first written to."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[Span, WriteClass | None], _Tally] = {}

    def add(self, deltas: tuple[HistogramDelta, ...], sign: int = 1) -> None:
        for delta in deltas:
            for key in ((delta.span, delta.write_class), (delta.span, None)):
                tally = self._tallies.get(key)
                if tally is None:
                    tally = self._tallies[key] = _Tally()
                tally.add(delta, sign)

    def _histogram(self, span: Span, write_class: WriteClass | None) -> Histogram | None:
        tally = self._tallies.get((span, write_class))
        return None if tally is None else tally.read()

    def read(self, span: Span, write_class: WriteClass | None, worst: Write | None) -> Quantiles | None:
        histogram = self._histogram(span, write_class)
        if histogram is None:
            return None
        # the engine keeps the exact worst over all classes only: it is this class's worst exactly when it belongs to it
        mine = worst is not None and write_class in (None, worst.write_class)
        return quantiles(histogram, span_ns(worst, span) if worst is not None and mine else None)

    def read_at(self, span: Span, write_class: WriteClass | None, fractions: Sequence[float]) -> list[int] | None:
        histogram = self._histogram(span, write_class)
        return None if histogram is None or not histogram.total else histogram.quantiles(fractions)


class Latencies:
    """Folds the engine's ticks into window and whole-session populations; keeps the last ticks singly."""

    def __init__(self, window_ns: int) -> None:
        self.recent: deque[WriterTick] = deque()
        """The ticks of the last `KEPT_NS`, oldest first."""
        self._whole = _Population()
        self._window = _Population()
        self._in_window: deque[WriterTick] = deque()
        self._window_ns = window_ns
        self._now_ns = 0
        self._worst: dict[Span, Write] = {}

    def add(self, tick: WriterTick) -> None:
        """Count one tick in."""
        self.recent.append(tick)
        self._in_window.append(tick)
        self._whole.add(tick.histograms)
        self._window.add(tick.histograms)
        for span in Span:
            write = tick.worst[span]
            known = self._worst.get(span)
            if write is not None and (known is None or span_ns(write, span) > span_ns(known, span)):
                self._worst[span] = write

    def restore(self, histograms: tuple[HistogramDelta, ...], worst: Iterable[Write | None]) -> None:
        """Begin with what had been counted before the first tick: for the whole session, not for the window."""
        self._whole.add(histograms)
        self._worst = {span: write for span, write in zip(Span, worst, strict=True) if write is not None}

    def expire(self, now_ns: int) -> None:
        """Take out what is too old: also when no tick comes any more, so that a dead engine's window empties.

        What is as far in the future goes too: time ran backwards then.
        """
        self._now_ns = now_ns
        while _past(self._in_window, now_ns, self._window_ns):
            self._window.add(self._in_window.popleft().histograms, -1)
        while _past(self.recent, now_ns, KEPT_NS):
            self.recent.popleft()

    @property
    def window_ns(self) -> int:
        return self._window_ns

    @window_ns.setter
    def window_ns(self, value: int) -> None:
        self._window_ns = value
        self._window = _Population()
        self._in_window = deque(tick for tick in self.recent if tick.end_ns > self._now_ns - value)
        for tick in self._in_window:
            self._window.add(tick.histograms)

    def window(self, span: Span, write_class: WriteClass | None = None) -> Quantiles | None:
        return self._window.read(span, write_class, self.worst_window(span))

    def whole(self, span: Span, write_class: WriteClass | None = None) -> Quantiles | None:
        return self._whole.read(span, write_class, self._worst.get(span))

    def whole_at(self, span: Span, write_class: WriteClass | None, fractions: Sequence[float]) -> list[int] | None:
        return self._whole.read_at(span, write_class, fractions)

    def worst_window(self, span: Span) -> Write | None:
        return worst_of(self._in_window, span)

    def worst_ever(self, span: Span) -> Write | None:
        return self._worst.get(span)

    def latest(self, length_ns: int) -> Iterator[WriterTick]:
        """Ticks that ended within the last *length_ns* of what was folded, newest first."""
        for tick in reversed(self.recent):
            if tick.end_ns <= self._now_ns - length_ns:
                return
            yield tick
