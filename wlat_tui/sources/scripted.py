"""A scripted source: a made-up host that tells the story and answers requests. `wlat --demo` and the screen tests use it.

The story: a reader fills node 1 with page cache until its Normal zone is at the low watermark; the worst write climbs from
20 us to 10 .. 40 ms. With zone_reclaim_mode 1 node 0 is left alone and stalls are 10 .. 15 ms; with prewarming the worst is
20 us again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random
from typing import Literal, get_args

from wlat_tui.frame import Cost, Frame, Mark, Prewarm, Settings, WriterTick
from wlat_tui.native import refuse_settings
from wlat_tui.sources import ChangeSettings, DropCaches, Outcome, ReadZones, Request, SetKnob
from wlat_tui.sources.difference import difference
from wlat_tui.sources.scripted_evidence import Around, ScriptedEvidence, tracer, watches
from wlat_tui.sources.scripted_host import ScriptedHost
from wlat_tui.sources.scripted_writer import ScriptedWriter, Weather

Scenario = Literal[
    "story", "told", "normal", "below_min", "degraded", "blind", "trouble", "gap", "no_writer", "many_nodes", "inflight"
]
PRESSED: tuple[Scenario, ...] = ("story", "told", "many_nodes", "below_min", "blind")
UNPRIVILEGED: tuple[Scenario, ...] = ("degraded", "blind")
START_NS = 1_000_000_000_000
START_WALL_NS = 1_748_854_800_000_000_000
"""2025-06-02 09:00:00 UTC: the made-up clock starts here, so that pictures do not change from day to day."""
SECOND_NS = 1_000_000_000
ZONES_NS = 10 * SECOND_NS
PRESSURE_NS = 5 * SECOND_NS
EVENT_NS = 5 * SECOND_NS
"""When trouble, the gap and the stuck write begin."""
STOPPED_NS, SUSPENDED_AFTER_NS, SUSPENDED_NS, FULL_NS = 3 * SECOND_NS, 12 * SECOND_NS, 4 * SECOND_NS, 60 * SECOND_NS
NO_WRITER = "the writer could not start: /srv/log is on tmpfs, which never writes to a disk; choose another --dir"
TOLD: tuple[tuple[int, Request], ...] = (
    (45 * SECOND_NS, SetKnob("zone_reclaim_mode", "1")),
    (80 * SECOND_NS, SetKnob("zone_reclaim_mode", None)),
    (110 * SECOND_NS, ChangeSettings(Settings(prewarm=Prewarm.WRITE), "prewarm", "prewarm by overwriting")),
)
"""What the "told" scenario does by itself, for pictures of the whole story."""


class ScriptedSource:
    """Frames of a made-up host, deterministic for a seed, a scenario and the requests made at the same frames.

    Args:
        seed: of everything drawn at random.
        scenario: "story" (the user toggles), "told" (the story toggles by itself), "normal", "below_min", "degraded" (no root),
            "blind" (the story, seen without root),
            "trouble" (disk full from 5 s to 65 s), "gap" (engine stopped at 5 s, host suspended at 12 s), "no_writer",
            "many_nodes" (64 unless *nodes* says otherwise), "inflight" (one write never comes back).
        realtime: wait for each tick; else yield as fast as frames are read.
        speed: how much faster than real time.
        nodes: 1 .. 64.
        settings: what is asked of the engine at first.
        stop_after: after so many frames no more come, but the source stays open until closed (for still pictures).

    Raises:
        ValueError: unknown scenario or nodes out of range.
    """

    description = "demo (scripted, not this host)"
    read_only: str | None = None
    farewell: str | None = None

    def __init__(
        self,
        seed: int = 1,
        scenario: Scenario = "story",
        realtime: bool = True,
        speed: float = 1.0,
        nodes: int | None = None,
        settings: Settings | None = None,
        stop_after: int | None = None,
    ) -> None:
        if scenario not in get_args(Scenario):
            raise ValueError(f"'{scenario}' is not a scenario: choose one of {', '.join(get_args(Scenario))}")
        nodes = (64 if scenario == "many_nodes" else 2) if nodes is None else nodes
        if not 1 <= nodes <= 64:
            raise ValueError(f"{nodes} nodes are not possible: choose 1 to 64")
        self.scenario = scenario
        self._realtime, self._speed, self._stop_after = realtime, speed, stop_after
        self._settings = self._first_settings = settings or Settings()
        self._settings_seq = 1
        self._now_ns = START_NS
        self._host = ScriptedHost(
            seed, nodes, pressed=False, start_low=scenario == "below_min", privileged=scenario not in UNPRIVILEGED
        )
        self._writer = ScriptedWriter(seed, START_NS)
        self._evidence = ScriptedEvidence(seed, START_NS, privileged=self._host.privileged)
        self._random = Random(seed + 2)
        self._marks: list[Mark] = []
        self._notices: list[str] = []
        self._told = list(TOLD) if scenario == "told" else []
        self._frames = 0
        self._next_second_ns = self._next_zones_ns = START_NS
        self._send_settings = True
        self._closed = asyncio.Event()
        if scenario in UNPRIVILEGED:
            self._notices.append("no root: kernel settings can be seen but not changed")

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield frames until closed."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while not self._closed.is_set():
            if self._stop_after is not None and self._frames >= self._stop_after:
                await self._closed.wait()
                return
            if self._realtime:
                due = started + (self._now_ns + self._settings.tick_ns - START_NS) / 1e9 / self._speed
                try:
                    await asyncio.wait_for(self._closed.wait(), max(0.0, due - loop.time()))
                    return
                except TimeoutError:
                    pass  # the tick is over: nobody closed the source meanwhile
            else:
                await asyncio.sleep(0)
            yield self.next_frame()

    def next_frame(self) -> Frame:
        """Move the made-up host on by one tick."""
        self._tell()
        if self.scenario == "gap" and self._at(SUSPENDED_AFTER_NS):
            self._now_ns += SUSPENDED_NS  # nothing ran: no frame covers this time
            self._writer.skip(self._now_ns, self._settings)
        begin_ns, end_ns = self._now_ns, self._now_ns + self._settings.tick_ns
        weather = self._weather(begin_ns)
        end_ns += weather.stopped_ns
        self._host.pressed = self.scenario in PRESSED and (begin_ns - START_NS >= PRESSURE_NS or self.scenario == "below_min")
        self._host.advance((end_ns - begin_ns) / 1e9)
        wall_ns = START_WALL_NS + end_ns - START_NS
        writer = None
        if self.scenario != "no_writer":
            asked = (self._settings, self._settings_seq)
            writer = self._writer.tick(begin_ns, end_ns, wall_ns, asked, self._host.place(self._settings), weather)
        second = end_ns >= self._next_second_ns
        zones = end_ns >= self._next_zones_ns
        around = self._around(begin_ns, end_ns, writer)
        frame = Frame(
            begin_ns=begin_ns,
            end_ns=end_ns,
            wall_ns=wall_ns,
            writer=writer,
            writer_missing=NO_WRITER if writer is None else None,
            host=self._host.host() if self._frames == 0 else None,
            settings=self._settings if self._send_settings else None,
            nodes=self._host.samples(),
            zones=self._host.zones() if zones else None,
            vmstat=self._host.vmstat() if second else None,
            pressure=self._host.pressure() if second or around.traces else None,
            knobs=self._host.knob_states(),
            cost=self._cost() if second else None,
            marks=tuple(self._marks),
            notices=tuple(self._notices),
            traces=around.traces,
            tracer=tracer(self._host.privileged, self._settings.deep_trace) if self._send_settings else None,
            disturbances=(*around.disturbances, *([self._evidence.own_read(end_ns)] if zones else [])),
            watches=watches(self._host.privileged) if self._frames == 0 else None,
            cpu_times=self._evidence.cpu_times((end_ns - begin_ns) / 1e9) if second else None,
        )
        self._next_second_ns = end_ns + SECOND_NS if second else self._next_second_ns
        self._next_zones_ns = end_ns + ZONES_NS if zones else self._next_zones_ns
        self._marks, self._notices, self._send_settings = [], [], False
        self._now_ns = end_ns
        self._frames += 1
        return frame

    def _around(self, begin_ns: int, end_ns: int, writer: WriterTick | None) -> Around:
        node = self._host.place(self._settings)[1]
        stalls = () if writer is None else writer.stalls
        return self._evidence.around(begin_ns, end_ns, stalls, node, bool(self._host.reclaim_mode & 1))

    async def apply(self, request: Request) -> Outcome:
        """Carry a request out on the made-up host; the next frame shows it."""
        return self._apply(request)

    async def close(self) -> None:
        """End. There is nothing to put back."""
        self._closed.set()

    def _apply(self, request: Request) -> Outcome:
        if isinstance(request, ChangeSettings):
            return self._change(request)
        if isinstance(request, ReadZones):
            self._next_zones_ns = 0
            return Outcome(True, "zoneinfo is read with the next frame")
        if not self._host.privileged:
            return Outcome(False, "changing kernel settings needs root")
        if isinstance(request, DropCaches):
            self._host.drop_caches()
            self._mark("applied", "drop_caches", None, "1", "clean page cache dropped")
            return Outcome(True, "clean page cache dropped (in the demo)")
        return self._set_knob(request)

    def _set_knob(self, request: SetKnob) -> Outcome:
        name, host = request.knob, self._host
        if name not in host.knobs:
            return Outcome(False, f"the demo host has no setting named {name}")
        before = host.knobs[name]
        after = host.originals.get(name, before) if request.value is None else request.value
        if name in ("zone_reclaim_mode", "min_free_kbytes", "watermark_scale_factor") and not after.isdecimal():
            return Outcome(False, f"{name} takes a number, not '{after}'")
        host.originals.setdefault(name, before)
        host.knobs[name] = after
        if request.value is None:
            del host.originals[name]
        self._next_zones_ns = 0
        self._mark("restored" if request.value is None else "applied", name, before, after, f"{name} {before} -> {after}")
        return Outcome(True, f"{name} is {after} now (in the demo)")

    def _change(self, request: ChangeSettings) -> Outcome:
        new = request.settings
        reason = refuse_settings(new)
        if reason is not None:
            return Outcome(False, reason)
        before, after = difference(self._settings, new)
        self._settings = new
        self._settings_seq += 1
        self._send_settings = True
        self._mark("restored" if new == self._first_settings else "applied", request.name, before, after, request.text)
        return Outcome(True, f"{request.text} (in the demo)")

    def _mark(self, kind: str, name: str, before: str | None, after: str | None, text: str) -> None:
        self._marks.append(Mark(self._now_ns, kind, name, before, after, text))

    def _tell(self) -> None:
        while self._told and self._now_ns - START_NS >= self._told[0][0]:
            self._apply(self._told.pop(0)[1])

    def _at(self, offset_ns: int) -> bool:
        """Whether the coming tick is the first one at this time of the script."""
        return START_NS + offset_ns <= self._now_ns < START_NS + offset_ns + self._settings.tick_ns

    def _weather(self, begin_ns: int) -> Weather:
        since_ns = begin_ns - START_NS
        refused = not self._host.privileged
        if self.scenario == "trouble":
            return Weather(full_disk=EVENT_NS <= since_ns < EVENT_NS + FULL_NS)
        if self.scenario == "gap":
            return Weather(stopped_ns=STOPPED_NS if self._at(EVENT_NS) else 0)
        if self.scenario == "inflight":
            return Weather(stuck=since_ns >= EVENT_NS)
        on_pressed = self._host.place(self._settings)[1] == self._host.pressed_node
        if not self._host.under_pressure or not on_pressed:
            return Weather(refused=refused)
        reclaim = bool(self._host.reclaim_mode & 1)
        return Weather(0.0022, (10.0, 15.0) if reclaim else (10.0, 40.0), 0.02, refused=refused)

    def _cost(self) -> Cost:
        draw = self._random
        return Cost(
            1.5 + draw.random() / 5, 0.4, 2.0 + draw.random() / 5, 80.0 + draw.random() * 20, 4_300 + draw.randint(0, 500)
        )
