"""Frames without what says whose they are: the host's name, paths, and whatever else was told in texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from wlat_tui.evidence import Disturbance, StallTrace, Thread, TraceEvent
from wlat_tui.frame import Frame, Host, Target

KERNEL_PLACES = ("/proc/", "/sys/", "/dev/cpu_dma_latency")
"""Paths that are the same everywhere."""
_KERNEL_THREADS = re.compile(
    r"(swapper|kswapd|kcompactd|khugepaged|ksoftirqd|kworker|kthreadd|ktimers|kdamond|migration|rcu_|rcuo|idle_inject|irq|jbd2|"
    r"xfs|btrfs|writeback|oom_reaper|cpuhp|kauditd|watchdog)([\W\d_]|$)"
)
"""Beginnings of names that threads have on every host; what comes behind a slash can be a device."""
_PATH = re.compile(r"(?<![\w.])~?/[^\s,;:'\"()=]+")
FACTS = ("wlat", "python", "compact", "group", "durable", "source", "ended", "started", "cut", "salvaged")
"""What the header may keep; the options name directories and files."""


class Scrubber:
    """Replaces names in texts. It learns the host's name and the device from the frames that bring them."""

    def __init__(self) -> None:
        self._hosts: set[str] = set()
        self._devices: set[str] = set()
        self._programs: dict[str, str] = {}

    def learn(self, host: Host) -> None:
        self._hosts |= {host.hostname} - {""}
        # most are paths, but not all: tank/data, server:/export
        if host.target is not None:
            self._devices |= {host.target.device} - {""}

    def text(self, text: str) -> str:
        """Without any name or path that is not the kernel's own."""
        text = _named(text, self._devices, "(device)")
        text = _PATH.sub(lambda match: match[0] if match[0].startswith(KERNEL_PLACES) else "(path)", text)
        return _named(text, self._hosts, "host")

    def program(self, comm: str) -> str:
        """The same number for the same program: who did what stays to be seen, but not who it was."""
        if not comm or _KERNEL_THREADS.match(comm):
            return comm.partition("/")[0]
        return self._programs.setdefault(comm, f"program-{len(self._programs) + 1}")

    def thread(self, thread: Thread) -> Thread:
        """Without command lines."""
        container = None if thread.container is None else self.program(thread.container)
        return replace(thread, comm=self.program(thread.comm), command="", parent="", container=container)

    def disturbance(self, disturbance: Disturbance) -> Disturbance:
        kernel = _KERNEL_THREADS.match(disturbance.what)
        kept = self.program(disturbance.what) if kernel else self.text(disturbance.what)
        return replace(disturbance, what=kept, by=self.thread(disturbance.by))

    def trace(self, trace: StallTrace) -> StallTrace:
        return replace(trace, events=tuple(map(self._event, trace.events)), listing=self.text(trace.listing))

    def _event(self, event: TraceEvent) -> TraceEvent:
        texts = {name: self.program(text) if name.endswith("comm") else self.text(text) for name, text in event.texts.items()}
        return replace(event, texts=texts) if texts != event.texts else event

    def all_texts(self, value: Any) -> Any:
        """The same value with every text in it scrubbed; keys stay (they are the kernel's and wlat's names)."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple):
            return tuple(self.all_texts(member) for member in value)
        if isinstance(value, dict):
            return {key: self.all_texts(member) for key, member in value.items()}
        if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{field.name: self.all_texts(getattr(value, field.name)) for field in fields(value)})
        return value


def _named(text: str, names: set[str], instead: str) -> str:
    """Whole names only: a host called "a" must not be cut out of every word."""
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", instead, text)
    return text


def _host(host: Host) -> Host:
    target = host.target
    if target is not None:
        place = "(path)"
        target = Target(
            place,
            place,
            target.filesystem,
            "(device)",
            _PATH.sub(place, target.mount_options),
            target.stable_writes,
            target.rotational,
        )
    # a kernel's release can carry a company's or a person's name behind its numbers
    numbers = re.match(r"\d+(\.\d+)*", host.kernel)
    return replace(host, hostname="host", kernel=numbers[0] if numbers else "n/a", target=target)


def anonymous(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames: figures as they are, names, paths and command lines gone from everything else."""
    scrubber = Scrubber()
    for frame in frames:
        if frame.host is not None:
            scrubber.learn(frame.host)
        yield replace(
            frame,
            host=None if frame.host is None else _host(frame.host),
            marks=scrubber.all_texts(frame.marks),
            notices=scrubber.all_texts(frame.notices),
            writer_missing=scrubber.all_texts(frame.writer_missing),
            traces=tuple(map(scrubber.trace, frame.traces)),
            tracer=scrubber.all_texts(frame.tracer),
            disturbances=tuple(map(scrubber.disturbance, frame.disturbances)),
            watches=scrubber.all_texts(frame.watches),
            knobs=scrubber.all_texts(dict(frame.knobs)) if frame.knobs is not None else None,
        )
