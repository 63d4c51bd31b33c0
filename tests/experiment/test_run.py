"""Experiments on the made-up host: who has a turn, what is set then, and what the recording says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from wlat_tui.experiment import run
from wlat_tui.experiment.outcome import count_lines, frames_of, phases_of
from wlat_tui.experiment.plan import Plan, PlanError, read_plan
from wlat_tui.experiment.run import Experiment, ExperimentError, orders
from wlat_tui.frame import Prewarm, Settings
from wlat_tui.model.session import Session
from wlat_tui.sessions.recorder import Recorder
from wlat_tui.sessions.recording import Recording
from wlat_tui.sources import SetKnob
from wlat_tui.sources.live import STARTING
from wlat_tui.sources.scripted import Scenario, ScriptedSource

HEAD = 'rounds = 3\nphase = "2s"\nwarm-up = "1s"\n'
KNOBS = HEAD + '[[side]]\nname = "as it was"\n[[side]]\nname = "on"\nset = { zone_reclaim_mode = 1, swappiness = 10 }\n'
WRITER = HEAD + '[[side]]\nname = "off"\n[[side]]\nname = "ahead"\nset = { prewarm = "write", fifo = 10 }\n'
SMALL = Settings(segment_bytes=1 << 20, prewarm_bytes=1 << 20)


async def played(
    plan: Plan, path: Path, scenario: Scenario = "story", settings: Settings = SMALL
) -> tuple[Recording, list[str]]:
    """The recording of an experiment, and what was said."""
    source = ScriptedSource(realtime=False, scenario=scenario, settings=settings)
    said: list[str] = []
    experiment = Experiment(plan, source, None, said.append)
    sides = await experiment.prepare(STARTING)
    recorder = Recorder(path, {})
    try:
        await experiment.play(orders(plan, sides, seed=7), recorder)
    finally:
        await source.close()
        recorder.close("over")
    return Recording(path), [*experiment.warnings, *said]


async def test_every_side_has_its_turn_in_every_round_and_the_recording_says_when(tmp_path: Path) -> None:
    recording, said = await played(read_plan("p", KNOBS), tmp_path / "a.wlat")
    with recording:
        found = phases_of(recording)
        assert Counter(phase.side for phase in found) == {"as it was": 3, "on": 3}
        assert [phase.round for phase in found] == [1, 1, 2, 2, 3, 3]
        assert said == [f"round {phase.round} of 3, side '{phase.side}'" for phase in found]
        for before, after in pairwise(found):
            assert after.begin_ns - before.end_ns >= 1_000_000_000, "a warm-up is between them"
        for phase in found:
            assert phase.end_ns - phase.begin_ns == 2_000_000_000
            frames = list(frames_of(recording, phase))
            assert sum(frame.end_ns - frame.begin_ns for frame in frames) == 2_000_000_000
            for frame in frames:
                assert frame.knobs is not None
                values = [frame.knobs[name].current for name in ("zone_reclaim_mode", "swappiness")]
                assert values == (["1", "10"] if phase.side == "on" else ["0", "60"])


async def test_what_a_side_does_not_set_is_as_it_was_and_prewarming_is_waited_for(tmp_path: Path) -> None:
    recording, _ = await played(read_plan("p", WRITER), tmp_path / "a.wlat")
    with recording:
        for phase in phases_of(recording):
            ahead = phase.side == "ahead"
            for frame in frames_of(recording, phase):
                if frame.settings is not None:
                    wanted = (Prewarm.WRITE, 10) if ahead else (Prewarm.OFF, 0)
                    assert (frame.settings.prewarm, frame.settings.fifo_priority) == wanted
                assert frame.writer is not None
                assert (frame.writer.precursor.method is Prewarm.WRITE) is ahead


class LateLoad:
    """A load that is not at work at the first looks."""

    name = "late"
    looks = 30

    def __init__(self) -> None:
        self.looked = 0

    def unavailable(self, directory: Path) -> None:
        return None

    def settled(self, session: Session) -> bool:
        return True

    @property
    def at_work(self) -> bool:
        self.looked += 1
        return self.looked > self.looks

    def check(self) -> None: ...

    def stop(self) -> None: ...


async def test_what_was_written_before_a_load_was_at_work_is_not_its_sides_however_late_frames_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, late_ns = LateLoad(), 4_000_000_000
    source = ScriptedSource(realtime=False, scenario="story", settings=SMALL)
    plan = read_plan("p", HEAD + '[[side]]\nname = "quiet"\n[[side]]\nname = "load"\nset = { fifo = 10 }\n')
    loaded = replace(plan, rounds=1, sides=(plan.sides[0], replace(plan.sides[1], loads=(load,))))
    experiment = Experiment(loaded, source, tmp_path, lambda _: None)
    # the clock is that much further than the newest frame
    monkeypatch.setattr(run, "time", SimpleNamespace(monotonic_ns=lambda: experiment.session.now_ns + late_ns))
    monkeypatch.setattr(run, "Running", lambda load, _: load)
    await experiment.prepare(STARTING)
    recorder = Recorder(tmp_path / "a.wlat", {})
    try:
        await experiment.play([list(loaded.sides)], recorder)
    finally:
        await source.close()
        recorder.close("over")
    with Recording(tmp_path / "a.wlat") as recording:
        quiet, under_load = phases_of(recording)
    assert under_load.begin_ns - quiet.end_ns >= late_ns + load.looks * SMALL.tick_ns


async def test_a_phase_may_end_by_its_writes(tmp_path: Path) -> None:
    plan = read_plan("p", KNOBS.replace('phase = "2s"', "writes = 2500"))
    recording, _ = await played(plan, tmp_path / "a.wlat")
    with recording:
        for phase in phases_of(recording):
            written = sum(sum(frame.writer.writes) for frame in frames_of(recording, phase) if frame.writer)
            assert 2500 <= written < 2500 + 1100


async def test_the_order_is_drawn_anew_every_round_and_the_same_for_a_seed() -> None:
    plan = read_plan("p", KNOBS.replace("rounds = 3", "rounds = 20"))
    drawn = orders(plan, plan.sides, 7)
    assert drawn == orders(plan, plan.sides, 7)
    assert {turn[0].name for turn in drawn} == {"as it was", "on"}
    assert all(len(turn) == 2 for turn in drawn)


async def test_without_root_what_needs_it_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="side 'on' cannot run: "):
        await played(read_plan("p", KNOBS), tmp_path / "a.wlat", "degraded")
    assert not (tmp_path / "a.wlat").exists()


async def test_without_root_the_other_sides_run(tmp_path: Path) -> None:
    plan = read_plan("p", WRITER + '[[side]]\nname = "reclaim"\nset = { zone_reclaim_mode = 1 }\n')
    recording, said = await played(plan, tmp_path / "a.wlat", "degraded")
    with recording:
        assert {phase.side for phase in phases_of(recording)} == {"off", "ahead"}
    assert said[0].startswith("side 'reclaim' cannot run: ")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [("zone_reclaim_mode = 9", "outside 0 to 7"), ('pin = "node 9"', "there is no node 9"), ('fifo = "much"', "")],
)
async def test_a_value_that_is_none_here_is_said_with_its_line(tmp_path: Path, wrong: str, words: str) -> None:
    plan = read_plan("p", KNOBS.replace("zone_reclaim_mode = 1", wrong))
    with pytest.raises(PlanError, match=rf"^p, line 8: .*{words}"):
        await played(plan, tmp_path / "a.wlat")


async def test_a_setting_refused_on_the_way_ends_the_experiment_and_the_file_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = ScriptedSource.apply

    async def refuse(self: ScriptedSource, request: object) -> object:
        # gone in the meantime: the name means nothing to the host any more
        wrong = SetKnob("gone", "1") if isinstance(request, SetKnob) and request.value == "10" else request
        return await apply(self, wrong)  # type: ignore[arg-type]

    monkeypatch.setattr(ScriptedSource, "apply", refuse)
    with pytest.raises(ExperimentError, match="side 'on': the demo host has no setting named gone"):
        await played(read_plan("p", KNOBS), tmp_path / "a.wlat")
    with Recording(tmp_path / "a.wlat") as recording:
        assert len(recording) > 0
        assert all(phase.side == "as it was" for phase in phases_of(recording))


async def test_what_the_kernel_counted_is_put_side_by_side(tmp_path: Path) -> None:
    recording, _ = await played(read_plan("p", KNOBS), tmp_path / "a.wlat")
    with recording:
        lines = count_lines(recording)
        assert lines[1].split() == ["as", "it", "was", "on"] or lines[1].split() == ["on", "as", "it", "was"]
        assert any(line.split()[0] == "pgsteal_kswapd" for line in lines[2:]), lines
