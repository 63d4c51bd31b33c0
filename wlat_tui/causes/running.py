"""Who had each CPU when, from the switches that were recorded on it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wlat_tui.evidence import Thread, TraceEvent

IDLE_PID = 0


@dataclass(slots=True)
class _Cpu:
    times: list[int] = field(default_factory=list)
    left: list[Thread] = field(default_factory=list)
    """Who gave the CPU up at that time."""
    came: list[Thread] = field(default_factory=list)


class Running:
    """Some kernels record no switch away from the idle task, so both sides of each switch are looked at."""

    def __init__(self, events: Iterable[TraceEvent]) -> None:
        """``events``: in time order; all but sched_switch with its fields are passed over."""
        self._cpus: dict[int, _Cpu] = defaultdict(_Cpu)
        for event in events:
            if event.name == "sched_switch" and "next_pid" in event.numbers:
                cpu = self._cpus[event.cpu]
                cpu.times.append(event.at_ns)
                cpu.left.append(Thread(event.numbers.get("prev_pid", -1), event.texts.get("prev_comm", "")))
                cpu.came.append(Thread(event.numbers["next_pid"], event.texts.get("next_comm", "")))

    def longest(self, cpu: int, begin_ns: int, end_ns: int, tid: int) -> Thread | None:
        """Who other than the writer had a CPU for most of a span; None: not recorded. The idle task has pid 0."""
        held: dict[Thread, int] = defaultdict(int)
        for thread, left, right in self._spans(cpu, begin_ns, end_ns):
            if thread.pid != tid:
                held[thread] += right - left
        return max(held, key=lambda thread: held[thread], default=None)

    def idle_since_ns(self, cpu: int, begin_ns: int, end_ns: int) -> int | None:
        """When, within a span, the CPU was last given to the idle task; None: it was not."""
        known = self._cpus[cpu]
        for i in range(bisect_left(known.times, end_ns) - 1, -1, -1):
            if known.times[i] <= begin_ns:
                break
            if known.came[i].pid == IDLE_PID:
                return known.times[i]
        return None

    def _spans(self, cpu: int, begin_ns: int, end_ns: int) -> Iterator[tuple[Thread, int, int]]:
        known = self._cpus[cpu]
        last = len(known.times)
        for i in range(bisect_right(known.times, begin_ns), last + 1):
            left = max(begin_ns, known.times[i - 1]) if i else begin_ns
            right = min(end_ns, known.times[i]) if i < last else end_ns
            if left >= end_ns:
                break
            if right > left:
                # whoever left at the end was there, even where its coming was not recorded
                came = known.came[i - 1] if i else None
                left_then = known.left[i] if i < last else None
                if (thread := left_then if left_then is not None and left_then.pid > IDLE_PID else came) is not None:
                    yield thread, left, right
