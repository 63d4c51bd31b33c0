"""From trace events to stretches of time, each with the cause it gives away. They may nest and, after losses, overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from wlat_tui.causes.cause import Cause, Waiting
from wlat_tui.causes.chains import Matcher, on_interrupt, plain_chain
from wlat_tui.causes.circumstances import Circumstances
from wlat_tui.causes.host_memory import touches_new_memory
from wlat_tui.causes.lock_names import lock_name
from wlat_tui.causes.phases import Confidence
from wlat_tui.causes.reclaim_throttle import throttled_for
from wlat_tui.causes.running import IDLE_PID, Running, next_thread, preemption, taken_by
from wlat_tui.evidence import StallTrace, Thread, TraceEvent
from wlat_tui.frame import Write

ASLEEP = 1
"""TASK_INTERRUPTIBLE: the writer's own wait for its plan. Source: include/linux/sched.h."""
RUNNABLE = (0, 0x100)
"""R, and R+ as sched_switch prints a preempted task (TASK_REPORT_MAX, 0x100 since 4.17)."""
_FAULTS = ("page_fault_user", "page_fault_kernel")
_FAULT_HANDLER = frozenset({"exc_page_fault", "handle_mm_fault", "do_user_addr_fault"})
HOST_LATE_NS = 50_000_000
"""A timer that fires so late on an idle CPU was held up outside this kernel: coarse timers (HZ=100) are 10 ms late at most, and
idle states a few. No steal is counted while a whole machine is stopped."""
LOCK_LOOKS_AHEAD = 8
"""Events after a contention among which the one may be that tells which lock it was."""
_OWN_SLEEP = frozenset({"do_nanosleep", "hrtimer_nanosleep", "common_nsleep"})
"""The wait for the plan, where the fields that would tell it are missing."""
SAMPLE_EVERY_NS = 200_000
"""How long the writer runs in the kernel between two ``cpu_clock`` samples (WL_SAMPLE_EVERY_NS)."""
_TIMER = ("local_timer_entry", "local_timer_exit")
"""The interrupt that takes the samples."""
_OUT = ("switch_out", "switch_out_preempted")
_WAKES = ("sched_waking", "sched_wakeup")
_OF_CPU = ("cpu_idle",)


@dataclass(slots=True)
class Stretch:
    """Time that one piece of evidence covers."""

    begin_ns: int
    end_ns: int
    cause: str
    confidence: Confidence
    evidence: str
    event: str = ""
    chain: tuple[str, ...] = ()
    by: Thread | None = None


@dataclass(slots=True)
class _Off:
    """The writer is off its CPU."""

    event: TraceEvent
    cause: str
    evidence: str
    chain: tuple[str, ...]
    by: Thread | None = None
    own_sleep: bool = False
    woken_ns: int | None = None
    cpu: int = -1
    """Where it waits to run, once it was woken."""


@dataclass(slots=True)
class _Open:
    """The first of two events."""

    event: TraceEvent
    cause: str
    evidence: str
    chain: tuple[str, ...]


class Timeline:
    """Reads one trace.

    Attributes:
        stretches: what was found, in no order.
    """

    def __init__(
        self, write: Write, trace: StallTrace, catalogue: Iterable[Cause], matcher: Matcher, known: Circumstances
    ) -> None:
        """``known.writer_tid`` tells the writer's switches from others' on its CPU; None: all are its own."""
        self.stretches: list[Stretch] = []
        self._write = write
        self._trace = trace
        self._matcher = matcher
        self._known = known
        self._tid = known.writer_tid
        self._begins, self._ends = _pairs(catalogue)
        self._open: dict[str, list[_Open]] = {}
        self._spinning: list[_Open] = []
        self._off: _Off | None = None
        self._announced: TraceEvent | None = None
        self._fault: TraceEvent | None = None
        self._seen_own = False
        self._last_own_ns = trace.from_ns - 1
        self._on_cpu_since_ns = trace.from_ns
        self._certain_since_ns = trace.from_ns
        self._events = sorted(trace.events, key=lambda event: event.at_ns)
        self._running = Running(self._events, gaps=trace.omitted > 0)
        self._taken = 0
        for event in self._events:
            self._taken += 1
            self._take(event)
        self._finish()

    def _take(self, event: TraceEvent) -> None:
        name = event.name
        if name == "lost":
            self._lose(event)
        elif name == "sched_switch":
            self._switch(event)
        elif name in _OUT:
            self._bare_out(event)
        elif name == "switch_in":
            self._come_in(event)
        elif name in _WAKES:
            self._wake(event)
        elif name not in _OF_CPU and not (self._off is not None and "__schedule" in event.chain):
            # (a tlb_flush inside the scheduler still belongs to the switch away)
            # any other event happened in the writer's context: it has the CPU, whatever was lost
            self._come_back(event.at_ns)
            if name == "cpu_clock":
                self._sample(event)
            else:
                self._own(event)
                self._last_own_ns = event.at_ns
            if name not in _TIMER:
                self._on_cpu_since_ns = event.at_ns

    def _own(self, event: TraceEvent) -> None:
        self._announced = None
        self._seen_own = True
        name = event.name
        chain = plain_chain(event.chain)
        if name == "contention_begin":
            self._spun_before(event, chain)
            cause = self._lock_cause(event, chain)
            self._spinning.append(_Open(event, cause, self._lock_evidence(cause, event, chain), chain))
        elif name == "contention_end":
            self._end_of_spin(event)
        elif name in self._begins:
            # memory.high and the limit share their events: the chain tells
            known = self._matcher.match(chain, Waiting.POINT)
            self._open.setdefault(name, []).append(_Open(event, known.name if known else self._begins[name], name, chain))
        elif name in self._ends:
            self._end_of_pair(event)
        elif name == "mm_vmscan_throttled":
            self._throttled(event, chain)
        else:
            self._announced = event
            self._fault = event if name in _FAULTS else self._fault

    def _sample(self, event: TraceEvent) -> None:
        """It was here after so long on the CPU. Whatever else is open says more than that.

        A sample that comes much too late: no interrupt was taken since the one before it.
        """
        if self._spinning or any(stack for begin, stack in self._open.items() if begin not in _TIMER):
            return
        chain = plain_chain(event.chain)
        begin_ns = max(self._on_cpu_since_ns, self._write.begin_ns)
        late_ns = event.at_ns - begin_ns - SAMPLE_EVERY_NS
        if late_ns < SAMPLE_EVERY_NS:
            begin_ns = max(begin_ns, event.at_ns - SAMPLE_EVERY_NS)
            cause = self._matcher.match(chain, Waiting.POINT)
            name, text = cause.name if cause else "unexplained", f"sampled in {_where(chain)}"
            self._add(begin_ns, event.at_ns, name, text, event, chain, confidence=Confidence.COINCIDED)
        elif touches_new_memory(chain) and self._known.host is not None and self._known.host.reports_free_pages:
            # on any other machine firmware may have stopped it there as well
            text = f"stood still at the first touch of memory in {chain[0]}: a timer was served {late_ns // 1000} us late"
            self._add(begin_ns, event.at_ns, "host_memory", text, event, chain, confidence=Confidence.COINCIDED)
        else:
            text = f"no interrupt was served for {late_ns // 1000} us, then sampled in {_where(chain)}"
            self._add(begin_ns, event.at_ns, "unexplained", text, event, chain, confidence=Confidence.COINCIDED)

    def _throttled(self, event: TraceEvent, chain: tuple[str, ...]) -> None:
        """It comes after the sleep, and knows what that was for."""
        delayed_ns = event.numbers.get("usec_delayed", 0) * 1_000
        begin_ns = max(event.at_ns - delayed_ns, self._trace.from_ns)
        text = f"mm_vmscan_throttled {delayed_ns // 1000} us{throttled_for(event)}"
        for i, slept in enumerate(self.stretches):
            if slept.cause == "reclaim_throttle" and slept.end_ns > begin_ns:
                self.stretches[i] = replace(slept, evidence=f"{slept.evidence}; {text}")
        self._add(begin_ns, event.at_ns, "reclaim_throttle", text, event, chain)

    # switches

    def _switch(self, event: TraceEvent) -> None:
        if self._tid is not None and event.numbers.get("next_pid") == self._tid:
            self._come_in(event)
        elif self._tid is None or event.numbers.get("prev_pid", self._tid) == self._tid:
            self._come_back(event.at_ns)
            self._seen_own = True
            state = event.numbers.get("prev_state")
            self._off = self._gone(event, preempted=None if state is None else state in RUNNABLE, asleep=state == ASLEEP)

    def _wake(self, event: TraceEvent) -> None:
        if self._off is None and not self._seen_own:
            # the record begins while it is asleep
            begin = TraceEvent(self._certain_since_ns, event.name, event.cpu)
            self._off = _Off(begin, "blocked", "asleep since before the record begins", (), own_sleep=True)
        if self._off is not None and self._off.woken_ns is None:
            self._off.woken_ns = event.at_ns
            self._off.cpu = event.numbers.get("target_cpu", self._off.event.cpu)
        self._seen_own = True

    def _come_in(self, event: TraceEvent) -> None:
        """Its switch to the CPU was recorded."""
        if self._off is None and not self._seen_own and self._tid is not None:
            # neither its leaving nor its waking is in the record: it was runnable all the time since that begins
            off = _Off(event, "run_queue", "", (), cpu=event.cpu)
            self._wait(off, self._certain_since_ns, event.at_ns, Confidence.TRACED)
        self._come_back(event.at_ns, seen=True)
        self._seen_own = True
        self._on_cpu_since_ns = event.at_ns

    def _bare_out(self, event: TraceEvent) -> None:
        self._seen_own = True
        preempted = event.name == "switch_out_preempted"
        if self._off is None:
            self._off = self._gone(event, preempted=preempted, asleep=False)
        elif self._off.event.name == "sched_switch" and "prev_state" not in self._off.event.numbers and preempted:
            self._off = self._gone(self._off.event, preempted=True, asleep=False)

    def _gone(self, event: TraceEvent, *, preempted: bool | None, asleep: bool) -> _Off:
        """The writer leaves its CPU."""
        chain = plain_chain(event.chain)
        if preempted:
            by = next_thread(event)
            return _Off(event, taken_by(event), preemption(event, by), chain, by)
        if asleep or (event.name == "switch_out" and not chain) or not _OWN_SLEEP.isdisjoint(chain):
            # asleep by its own will (the wait for the plan), or for a reason that is not recorded; see Verdict
            announced = self._announced
            if (
                announced is not None
                and not asleep
                and not chain
                and (cause := self._matcher.match(plain_chain(announced.chain), Waiting.SLEEP))
            ):
                return _Off(event, cause.name, f"{announced.name}, then slept", plain_chain(announced.chain))
            return _Off(event, "blocked", "slept, the reason was not recorded", chain, own_sleep=True)
        if (cause := self._matcher.match(chain, Waiting.SLEEP)) is not None:
            if (fault := self._fault) is not None and not _FAULT_HANDLER.isdisjoint(chain):
                # what the fault did until it had to sleep belongs to it
                self._add(fault.at_ns, event.at_ns, cause.name, f"{fault.name}, then slept in {_where(chain)}", event, chain)
            return _Off(event, cause.name, f"slept in {_where(chain)}", chain)
        return _Off(event, "blocked", f"slept in {_where(chain)}" if chain else "slept", chain)

    def _come_back(self, at_ns: int, *, seen: bool = False) -> None:
        """The writer has its CPU again: just now where its switch was *seen*, else at the latest now."""
        off, self._off = self._off, None
        if off is None:
            return
        begin_ns, woken_ns = off.event.at_ns, off.woken_ns
        if off.own_sleep and begin_ns < self._write.begin_ns:
            self._late(off, at_ns if seen else min(at_ns, self._write.begin_ns), seen=seen)
            return
        by = off.by
        if off.cause in ("preempted", "rt_throttling"):
            longest = self._running.longest(off.event.cpu, begin_ns, at_ns, self._tid or -1)
            by = longest if longest is not None and longest.pid > IDLE_PID else by
        elif woken_ns is not None and begin_ns < woken_ns < at_ns:
            if not seen:
                # only the way from idle to the writer goes unrecorded, on kernels that do not record it
                at_ns = max(woken_ns, self._running.idle_since_ns(off.cpu, woken_ns, at_ns) or woken_ns)
            self._wait(off, woken_ns, at_ns, Confidence.TRACED)
            at_ns = woken_ns
        self._add(begin_ns, at_ns, off.cause, off.evidence, off.event, off.chain, by)

    def _late(self, off: _Off, at_ns: int, *, seen: bool) -> None:
        """The writer comes back from its wait for the plan: what lies behind the plan is lateness."""
        planned_ns, woken_ns = self._write.planned_ns, off.woken_ns
        if woken_ns is not None:
            had = self._running.longest(off.event.cpu, planned_ns, woken_ns, self._tid or -1)
            if woken_ns - planned_ns >= HOST_LATE_NS and had is not None and had.pid == IDLE_PID:
                text = "the CPU was idle and its timer fired that late: no idle state lasts so long beyond it"
                self._add(planned_ns, woken_ns, "steal", text, off.event, (), None, Confidence.COINCIDED)
            else:
                self._add(planned_ns, woken_ns, "late_timer", "its timer fired that late", off.event, ())
            self._wait(off, max(planned_ns, woken_ns), at_ns, Confidence.TRACED if seen else Confidence.COINCIDED)
            return
        by = self._running.longest(off.event.cpu, planned_ns, at_ns, self._tid or -1)
        if by is not None and by.pid != IDLE_PID:
            off.cpu = off.event.cpu
            self._wait(off, planned_ns, at_ns, Confidence.COINCIDED)
        else:
            text = "asleep beyond its plan; when the timer fired was not recorded"
            # it may as well have been awake, waiting for its CPU
            self._add(planned_ns, at_ns, "late_timer", text, off.event, (), None, Confidence.COINCIDED)

    def _wait(self, off: _Off, begin_ns: int, end_ns: int, confidence: Confidence) -> None:
        """Runnable, but not running."""
        by = self._running.longest(off.cpu, begin_ns, end_ns, self._tid or -1)
        if by is not None and by.pid == IDLE_PID:
            text = "awake, but the idle CPU took that long to switch to it"
            self._add(begin_ns, end_ns, "idle_exit", text, off.event, (), None, confidence)
        else:
            text = "awake, waiting for the CPU" if by is None else f"awake, the CPU was with {by.comm or 'a thread'} ({by.pid})"
            self._add(begin_ns, end_ns, "run_queue", text, off.event, (), by, confidence)

    # pairs

    def _end_of_pair(self, event: TraceEvent) -> None:
        begin_name, cause = self._ends[event.name]
        stack = self._open.get(begin_name)
        numbers = _numbers(event)
        if stack:
            opened = stack.pop()
            text = f"{begin_name} to {event.name}{_numbers(opened.event) if begin_name in _NAMED_AT_BEGIN else numbers}"
            self._add(opened.event.at_ns, event.at_ns, opened.cause, text, opened.event, opened.chain)
        else:
            chain = plain_chain(event.chain)
            begun_ns = self._certain_since_ns
            self._add(begun_ns, event.at_ns, cause, f"{event.name}{numbers}; its begin was not recorded", event, chain)

    def _end_of_spin(self, event: TraceEvent) -> None:
        address = event.numbers.get("lock_addr")
        for i in range(len(self._spinning) - 1, -1, -1):
            opened = self._spinning[i]
            if address is None or opened.event.numbers.get("lock_addr") in (None, address):
                del self._spinning[i:]
                self._add(opened.event.at_ns, event.at_ns, opened.cause, opened.evidence, opened.event, opened.chain)
                return
        text = "contention_end; its begin was not recorded"
        self._add(self._certain_since_ns, event.at_ns, "other_lock", text, event, plain_chain(event.chain))

    def _spun_before(self, event: TraceEvent, chain: tuple[str, ...]) -> None:
        """A reader-writer semaphore is spun for while its owner runs, before contention_begin (kernel/locking/rwsem.c).

        The inode's is the first thing a write() takes, so what passed since it began went into that.
        """
        cause = self._matcher.match(chain, Waiting.SPIN)
        begin_ns = self._write.begin_ns
        if cause is not None and cause.name == "inode_rwsem" and self._last_own_ns < begin_ns < event.at_ns:
            text = f"nothing but spinning comes before {chain[0]} in a write()"
            self._add(begin_ns, event.at_ns, cause.name, text, event, chain, confidence=Confidence.COINCIDED)

    def _lock_cause(self, event: TraceEvent, chain: tuple[str, ...]) -> str:
        cause = self._matcher.match(chain, Waiting.SPIN)
        if cause is not None:
            return cause.name
        return "hard_irq" if on_interrupt(chain) else "other_lock"

    def _lock_evidence(self, cause: str, event: TraceEvent, chain: tuple[str, ...]) -> str:
        lock = lock_name(cause, event, chain, islice(self._events, self._taken, self._taken + LOCK_LOOKS_AHEAD), self._known)
        return f"contention_begin to contention_end{f' on {lock}' if lock else ''} in {_where(chain)}"

    # ends and losses

    def _lose(self, event: TraceEvent) -> None:
        """Records are missing before this one: nothing that was open is known to have lasted on."""
        self._drop_open(event.at_ns, "until records were lost")
        self._certain_since_ns = event.at_ns

    def _finish(self) -> None:
        off = self._off
        if off is not None and off.own_sleep and off.event.at_ns < self._write.begin_ns:
            self._come_back(self._write.begin_ns)
        self._drop_open(self._trace.to_ns, "its end was not recorded")

    def _drop_open(self, at_ns: int, why: str) -> None:
        opened = [*self._spinning, *(one for stack in self._open.values() for one in stack)]
        for one in opened:
            text = f"{one.evidence}; {why}"
            self._add(one.event.at_ns, at_ns, one.cause, text, one.event, one.chain, confidence=Confidence.COINCIDED)
        off = self._off
        if off is not None and not (off.own_sleep and off.event.at_ns < self._write.begin_ns):
            self._add(
                off.event.at_ns, at_ns, off.cause, f"{off.evidence}; {why}", off.event, off.chain, off.by, Confidence.COINCIDED
            )
        self._spinning, self._open, self._off = [], {}, None

    def _add(
        self,
        begin_ns: int,
        end_ns: int,
        cause: str,
        evidence: str,
        event: TraceEvent,
        chain: tuple[str, ...],
        by: Thread | None = None,
        confidence: Confidence = Confidence.TRACED,
    ) -> None:
        if end_ns > begin_ns:
            self.stretches.append(Stretch(begin_ns, end_ns, cause, confidence, evidence, event.name, chain, by))


def _pairs(catalogue: Iterable[Cause]) -> tuple[Mapping[str, str], Mapping[str, tuple[str, str]]]:
    """begin -> cause, and end -> (begin, cause)."""
    pairs = [(pair, cause.name) for cause in catalogue for pair in cause.pairs]
    return {pair.begin: name for pair, name in pairs}, {pair.end: (pair.begin, name) for pair, name in pairs}


_MACHINERY = ("schedule", "__schedule", "io_schedule", "schedule_timeout", "preempt_schedule", "bit_wait", "out_of_line_wait")
_SPINNING = (
    "native_queued_",
    "__pv_queued_",
    "queued_",
    "_raw_",
    "pv_",
    "rwsem_down_",
    "rwbase_",
    "mutex_",
    "__mutex_",
    "down_",
    "up_",
)


@lru_cache(1024)
def _where(chain: tuple[str, ...]) -> str:
    """The two innermost functions that say something: not the scheduler, not the lock itself."""
    telling = [frame for frame in chain if not frame.startswith((*_MACHINERY, *_SPINNING))]
    return " < ".join((telling or list(chain))[:2]) or "the kernel"


_NAMED_AT_BEGIN = ("irq_handler_entry", "mm_shrink_slab_start", "mm_vmscan_node_reclaim_begin")
_TOLD = ("nr_reclaimed", "nid", "order", "irq", "nr_scanned", "status")
_SOFTIRQS = ("HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU")
"""Source: include/linux/interrupt.h."""


def _numbers(event: TraceEvent) -> str:
    told = [f"{name} {event.numbers[name]}" for name in _TOLD if name in event.numbers]
    told += [f"{name} {text}" for name, text in event.texts.items()]
    if event.name.startswith("softirq") and event.numbers.get("vec", -1) in range(len(_SOFTIRQS)):
        told.append(_SOFTIRQS[event.numbers["vec"]])
    return f" ({', '.join(told)})" if told else ""
