"""The chapters of the story, played inside a guest with two nodes: ``python -m tests.numa.chapters DIRECTORY [CHAPTER ...]``.

A chapter is one of `CHAPTERS`, or NAME=PLAN.toml for a plan of one's own.

What is recorded there is judged outside (test_story.py): every chapter leaves NAME.wlat and NAME.json. Nothing is judged here,
so that one chapter that fails hides no other.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import re
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.numa.counting import CountedSource
from wlat_tui.experiment.plan import Plan, read_plan
from wlat_tui.experiment.run import Experiment
from wlat_tui.frame import Frame, Settings, Zone
from wlat_tui.kernel.mglru import read_mglru
from wlat_tui.ledger import LEDGER_DIRECTORY
from wlat_tui.model.session import Session
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sources import ReadZones, Request, SetKnob
from wlat_tui.sources.live import STARTING, LiveSource
from wlat_tui.units import parse_duration_ns, parse_size_bytes

PLANS = Path(__file__).with_name("plans")
DATA = Path("/data")
LRU_GEN = Path("/sys/kernel/mm/lru_gen/enabled")
VM = Path("/proc/sys/vm")
THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")
ZONEINFO = Path("/proc/zoneinfo")
PATIENCE_S = 120
TICK_NS = 1_000_000_000
"""An emulated CPU on a busy machine makes no five frames a second."""
THRESHOLD_NS = 100_000_000
"""Nearly every write is a stall by a real machine's measure, and each would be traced and explained."""


def settings_of(plan: Plan) -> Settings:
    """What the command line would make of [writer]."""
    said = plan.writer
    known: dict[str, tuple[str, Callable[[str], Any]]] = {
        "interval": ("interval_ns", parse_duration_ns),
        "size": ("write_bytes", parse_size_bytes),
        "threshold": ("threshold_ns", parse_duration_ns),
        "segment": ("segment_bytes", parse_size_bytes),
        "disk-limit": ("disk_limit_bytes", parse_size_bytes),
        "prewarm-distance": ("prewarm_bytes", parse_size_bytes),
        "cpu": ("cpus", lambda text: (int(text),)),
    }
    usual = {"tick_ns": TICK_NS, "threshold_ns": THRESHOLD_NS}
    return Settings(**usual | {known[key][0]: known[key][1](text) for key, text in said.items()})


async def play(name: str, out: Path, file: Path, without: str = "") -> Mapping[str, Any]:
    """One plan, its sides in their own order, perhaps without one; recorded, the writer's kernel events counted."""
    plan = read_plan(file.name, file.read_text())
    source = CountedSource(LiveSource(settings_of(plan), DATA, read_only=False, sudo=False))
    experiment = Experiment(plan, source, DATA, print)
    # not on /job: SQLite needs shared memory maps beside the file while it records
    path = Path("/tmp") / f"{name}.wlat"
    recorder = None
    try:
        sides = await experiment.prepare(STARTING)
        recorder = Recorder(path, {"plan": plan.text})
        await experiment.play([[side for side in sides if side.name != without]], recorder)
    finally:
        experiment.close()
        await source.close()
        if source.farewell:
            print(source.farewell)
        if recorder is not None:
            print(recorder.close("over") or f"{name}: {recorder.frames} frames")
            shutil.copy(path, out / path.name)
    return {"warnings": experiment.warnings, "samples": source.samples, "mglru": read_mglru()}


def with_mglru(on: bool) -> None:
    """Choose the LRU, where this kernel has both."""
    if LRU_GEN.exists():
        LRU_GEN.write_text("y" if on else "n")


def quieten() -> None:
    """Have dirty pages written soon and no marks boosted: the chapters are about clean cache and a kswapd that sleeps.

    A boosted mark (an allocation fell back to another migrate type) wakes kswapd on a node that is merely full, and then it
    makes room there for everybody.
    """
    (VM / "watermark_boost_factor").write_text("0")
    (VM / "dirty_background_bytes").write_text(str(8 << 20))
    (VM / "dirty_writeback_centisecs").write_text("100")
    (VM / "dirty_expire_centisecs").write_text("100")


async def reclaim(out: Path, mglru: bool, name: str, without: str = "") -> Mapping[str, Any]:
    before = read_mglru()
    with_mglru(mglru)
    try:
        return await play(name, out, PLANS / "reclaim.toml", without)
    finally:
        if before is not None:
            LRU_GEN.write_text(before)


async def marks(out: Path) -> Mapping[str, Any]:
    """Watermarks moved through the keeper, by somebody else, by the kernel for huge pages; then a node that loses memory."""
    path, told, taken = Path("/tmp/marks.wlat"), [], list[int]()
    source = LiveSource(
        Settings(interval_ns=5_000_000, tick_ns=TICK_NS, threshold_ns=THRESHOLD_NS), DATA, read_only=False, sudo=False
    )
    recorder = Recorder(path, {})
    session = Session()
    frames = source.frames()

    async def until(what: Callable[[Frame], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            async for frame in frames:
                recorder.take(frame)
                session.fold(frame)
                taken.append(frame.end_ns)
                if what(frame):
                    return

    def noted(step: str) -> None:
        # how many frames, not when: where they come late, one without a report is of a later moment than the next one
        told.append({"step": step, "frames": len(taken), "zones": printed()})

    async def moved_elsewhere(step: str) -> None:
        """Until that is said, and the marks shown are the kernel's."""
        await until(lambda frame: any((mark.kind, mark.name) == ("foreign", "min_free_kbytes") for mark in frame.marks))
        await until(lambda _: [zone.min for zone in session_zones(session)] == [zone["min"] for zone in printed()])
        noted(step)

    async def ask(request: Request) -> None:
        outcome = await source.apply(request)
        assert outcome.ok, outcome.message

    try:
        await until(lambda frame: frame.writer and all(s.unavailable != STARTING for s in session.knobs.values()))
        await until(lambda frame: frame.zones)
        noted("as it was")
        for name, value in (("min_free_kbytes", "12288"), ("watermark_scale_factor", "100")):
            await ask(SetKnob(name, value))
            await until(lambda frame: frame.zones)
            noted(f"{name} {value}")
        (VM / "min_free_kbytes").write_text("20480")
        await moved_elsewhere("somebody else")
        THP.write_text("always")
        await moved_elsewhere("huge pages")
        block = offline_a_block_of(1)
        await ask(ReadZones())
        await until(lambda frame: frame.zones)
        noted(f"{block} offline")
        await until(lambda frame: frame.writer and sum(frame.writer.writes) > 0)
    finally:
        await source.close()
        print(recorder.close("over") or "marks")
        shutil.copy(path, out / path.name)
    return {"steps": told, "scale_after": (VM / "watermark_scale_factor").read_text().strip(), "block": block}


def printed() -> list[dict[str, Any]]:
    return zones(ZONEINFO.read_text())


def zones(zoneinfo: str) -> list[dict[str, Any]]:
    """Populated zones as /proc/zoneinfo prints them, read here and not by wlat."""
    found = []
    for part in re.split(r"^Node ", zoneinfo, flags=re.M)[1:]:
        head = re.match(r"(\d+), zone +(\w+)", part)
        rows = dict(re.findall(r"^ +(min|low|high|managed) +(\d+)", part, re.M))
        if head and int(rows.get("managed", 0)):
            found.append({"node": int(head[1]), "zone": head[2], **{name: int(value) for name, value in rows.items()}})
    return found


def session_zones(session: Session) -> list[Zone]:
    return [state.zone for node in session.nodes.values() for state in node.zones]


def offline_a_block_of(node: int) -> str | None:
    """Take a memory block away; None when the kernel gives none (something in each cannot be moved)."""
    blocks = Path(f"/sys/devices/system/node/node{node}").glob("memory[0-9]*")
    for block in sorted(blocks, key=lambda path: -int(path.name[6:])):
        try:
            (block / "state").write_text("offline")
        except OSError:
            continue  # busy: the next one may not be
        return block.name
    return None


CHAPTERS: Mapping[str, Callable[[Path], Any]] = {
    "reclaim": lambda out: reclaim(out, False, "reclaim"),
    "reclaim-mglru": lambda out: reclaim(out, True, "reclaim-mglru", without="mode 0"),
    "nodes": lambda out: play("nodes", out, PLANS / "nodes.toml"),
    "marks": marks,
    "slabinfo": lambda out: play("slabinfo", out, PLANS / "slabinfo.toml"),
}


def until_the_keeper_has_ended() -> None:
    """The next chapter's would find the settings held: on an emulated CPU even ending takes a while."""
    with (LEDGER_DIRECTORY / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


def main(arguments: list[str]) -> int:
    out = Path(arguments[0])
    quieten()
    for name in arguments[1:] or list(CHAPTERS):
        began = time.monotonic()
        try:
            name, _, plan = name.partition("=")
            result = asyncio.run(play(name, out, Path(plan)) if plan else CHAPTERS[name](out))
        except Exception:
            result = {"failed": traceback.format_exc()}
            print(result["failed"])
        (out / f"{name}.json").write_text(json.dumps({**result, "seconds": round(time.monotonic() - began, 1)}))
        until_the_keeper_has_ended()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
