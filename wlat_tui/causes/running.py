"""Who had each CPU when, from the switches that were recorded on it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator

from wlat_tui.evidence import Thread, TraceEvent

IDLE_PID = 0
LOWEST_REAL_TIME = 99
"""prio of a real-time thread is at most this; an ordinary one's is 100 to 139. Source: include/linux/sched/prio.h."""


class Running:
    """Some kernels record no switch away from the idle task, so both sides of each switch are looked at."""

    def __init__(self, events: Iterable[TraceEvent], *, gaps: bool = False) -> None:
        """``events``: in time order; all but sched_switch with its fields are passed over.

        With *gaps*, switches were left out: where two of them do not fit, nobody is known to have had the CPU between them.
        """
        self._gaps = gaps
        self._times: dict[int, list[int]] = defaultdict(list)
        self._switches: dict[int, list[TraceEvent]] = defaultdict(list)
        for event in events:
            if event.name == "sched_switch" and "next_pid" in event.numbers:
                self._times[event.cpu].append(event.at_ns)
                self._switches[event.cpu].append(event)

    def longest(self, cpu: int, begin_ns: int, end_ns: int, tid: int) -> Thread | None:
        """Who other than the writer had a CPU for most of a span; None: not recorded. The idle task has pid 0."""
        held: dict[Thread, int] = defaultdict(int)
        for thread, left, right in self._spans(cpu, begin_ns, end_ns):
            if thread.pid != tid:
                held[thread] += right - left
        return max(held, key=lambda thread: held[thread], default=None)

    def idle_since_ns(self, cpu: int, begin_ns: int, end_ns: int) -> int | None:
        """When, within a span, the CPU was last given to the idle task; None: it was not."""
        times, switches = self._times[cpu], self._switches[cpu]
        for i in range(bisect_left(times, end_ns) - 1, -1, -1):
            if times[i] <= begin_ns:
                break
            if switches[i].numbers["next_pid"] == IDLE_PID:
                return times[i]
        return None

    def _spans(self, cpu: int, begin_ns: int, end_ns: int) -> Iterator[tuple[Thread, int, int]]:
        times, switches = self._times[cpu], self._switches[cpu]
        for i in range(bisect_right(times, begin_ns), len(times) + 1):
            left = max(begin_ns, times[i - 1]) if i else begin_ns
            right = min(end_ns, times[i]) if i < len(times) else end_ns
            if left >= end_ns:
                break
            if right <= left:
                continue
            if self._gaps and 0 < i < len(times) and switches[i - 1].numbers["next_pid"] != switches[i].numbers.get("prev_pid"):
                continue
            # whoever left at the end was there, even where its coming was not recorded
            if i < len(times) and switches[i].numbers.get("prev_pid", -1) > IDLE_PID:
                yield _left(switches[i]), left, right
            elif i:
                yield _came(switches[i - 1]), left, right


def _left(switch: TraceEvent) -> Thread:
    return Thread(switch.numbers["prev_pid"], switch.texts.get("prev_comm", ""))


def _came(switch: TraceEvent) -> Thread:
    return Thread(switch.numbers["next_pid"], switch.texts.get("next_comm", ""))


def next_thread(event: TraceEvent) -> Thread | None:
    pid = event.numbers.get("next_pid")
    return None if pid is None or pid == IDLE_PID else Thread(pid, event.texts.get("next_comm", ""))


def taken_by(event: TraceEvent) -> str:
    """A real-time writer that is still runnable gives way to an ordinary thread, or to none, only when it was throttled."""
    own, other = event.numbers.get("prev_prio"), event.numbers.get("next_prio")
    if own is not None and other is not None and own <= LOWEST_REAL_TIME < other:
        return "rt_throttling"
    return "preempted"


def preemption(event: TraceEvent, by: Thread | None) -> str:
    who = f" by {by.comm or 'a thread'} ({by.pid})" if by is not None else ""
    priority = event.numbers.get("next_prio")
    return f"still runnable, CPU {event.cpu} taken{who}" + (f", priority {priority}" if priority is not None else "")
