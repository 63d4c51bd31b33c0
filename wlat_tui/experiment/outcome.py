"""What an experiment's recording says: its sides' frames, and what the kernel counted in each side's phases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from wlat_tui.compare.spans import marks_of
from wlat_tui.frame import Frame
from wlat_tui.model.phases import Phase, phases
from wlat_tui.sessions.recording import Recording

COUNTED = (
    "pgsteal_kswapd",
    "pgsteal_direct",
    "allocstall_normal",
    "allocstall_movable",
    "zone_reclaim_success",
    "zone_reclaim_failed",
    "numa_miss",
    "numa_foreign",
)
"""Rows of /proc/vmstat that tell where pages came from and at whose expense."""


@dataclass(slots=True)
class Counts:
    """Kernel events in the phases of one side. Rows that this kernel does not print are missing."""

    seconds: float = 0.0
    """Time between the readings, a second or so shorter per phase than the phase."""
    events: dict[str, int] = field(default_factory=dict)

    def add(self, first: Mapping[str, int], last: Mapping[str, int], seconds: float) -> None:
        """One phase's first and last reading."""
        self.seconds += seconds
        for name in COUNTED:
            if name in first and name in last:
                self.events[name] = self.events.get(name, 0) + last[name] - first[name]


def phases_of(recording: Recording) -> tuple[Phase, ...]:
    """The finished phases of an experiment; none in other recordings."""
    return phases(marks_of(recording))


def frames_of(recording: Recording, phase: Phase) -> Iterator[Frame]:
    """Frames of one phase; the first one is complete, with every section as it stood."""
    first, end = recording.number_at(phase.begin_ns), recording.number_at(phase.end_ns)
    for number, frame in enumerate(recording.frames(first, end), first):
        yield replace(recording.known_at(number), marks=frame.marks) if number == first else frame


def counted(recording: Recording) -> dict[str, Counts]:
    """Side -> what the kernel counted while it was measured."""
    found: dict[str, Counts] = {}
    for phase in phases_of(recording):
        read = [
            (frame.end_ns, frame.vmstat)
            for frame in recording.frames(recording.number_at(phase.begin_ns), recording.number_at(phase.end_ns))
            if frame.vmstat is not None
        ]
        counts = found.setdefault(phase.side, Counts())
        if len(read) > 1:
            counts.add(read[0][1], read[-1][1], (read[-1][0] - read[0][0]) / 1e9)
    return found


def count_lines(recording: Recording) -> list[str]:
    """A table for the terminal: events per second, side by side."""
    sides = counted(recording)
    names = [name for name in COUNTED if any(counts.events.get(name) for counts in sides.values())]
    if not names:
        return []
    width = max(12, *(len(side) + 2 for side in sides))
    lines = ["counted by the kernel, per second", f"  {'':<22}" + "".join(f"{side:>{width}}" for side in sides)]
    for name in names:
        cells = (
            f"{counts.events[name] / counts.seconds:,.1f}" if name in counts.events and counts.seconds else "n/a"
            for counts in sides.values()
        )
        lines.append(f"  {name:<22}" + "".join(f"{cell:>{width}}" for cell in cells))
    return lines
