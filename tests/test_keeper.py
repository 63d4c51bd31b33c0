"""The keeper as a process: its protocol, and that it puts everything back however it or its parent ends."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mitigations import tree
from tests.mitigations.tree import SETTINGS, contents, make_tree, vm
from wlat_tui import keeper
from wlat_tui.holding import Holding
from wlat_tui.ledger import LEDGER_DIRECTORY

PATIENCE_S = 60.0
REAL_SETTINGS = {
    "zone_reclaim_mode": "1",
    "watermark_scale_factor": "15",
    "thp": "never",
    "thp_defrag": "defer",
    "compaction_proactiveness": "0",
    "swappiness": "50",
    "dirty_background": "bytes 268435456",
    "dirty_limit": "ratio 25",
}
"""Changes nobody on a test machine suffers from."""
REAL = (sys.executable, "-I", "-m", "wlat_tui.keeper")


class Child:
    """A keeper and both ends of its pipes."""

    def __init__(self, command: tuple[str, ...]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True, cwd="/")
        self.number = 0

    def send(self, operation: str, **fields: str) -> int:
        self.number += 1
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"id": self.number, "op": operation, **fields}).encode() + b"\n")
        self.process.stdin.flush()
        return self.number

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
        assert ready, "no answer"
        line = self.process.stdout.readline()
        assert line, "the keeper ended: " + self.errors()
        found: dict[str, Any] = json.loads(line)
        return found

    def ask(self, operation: str, **fields: str) -> dict[str, Any]:
        number = self.send(operation, **fields)
        found = self.answer()
        assert found["id"] == number
        return found

    def errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def end(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            if not stream.closed:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue  # what was not sent to a dead keeper
        self.process.wait(PATIENCE_S)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "host")


@pytest.fixture
def start(root: Path, tmp_path: Path) -> Iterator[Callable[[], Child]]:
    children: list[Child] = []

    def begin() -> Child:
        children.append(Child((sys.executable, tree.__file__, str(root), str(tmp_path / "ledger"))))
        return children[-1]

    yield begin
    for child in children:
        child.end()


@pytest.fixture
def changed(root: Path, start: Callable[[], Child]) -> tuple[Child, dict[str, bytes]]:
    """A keeper that has changed everything, and how it was before."""
    before = contents(root)
    child = start()
    for name, value in SETTINGS.items():
        assert child.ask("set", knob=name, value=value)["ok"]
    assert contents(root) != before
    return child, before


def test_hello_says_who_it_is_and_what_there_is(start: Callable[[], Child]) -> None:
    hello = start().ask("hello")
    assert hello["ok"]
    assert hello["protocol"] == keeper.PROTOCOL
    assert hello["read_only"] is None
    assert hello["knobs"]["swappiness"] == {"current": "60", "original": None, "unavailable": None, "fix": None}
    assert set(hello["knobs"]) == {*SETTINGS, "stat_interval", "drop_caches", "function_listing"}


def test_bye_puts_everything_back_and_ends(root: Path, changed: tuple[Child, dict[str, bytes]]) -> None:
    child, before = changed
    farewell = child.ask("bye")
    assert farewell["ok"]
    assert "vm.swappiness: put back to 60" in farewell["message"]
    assert child.wait() == 0
    assert contents(root) == before


def test_end_of_input_puts_everything_back(root: Path, changed: tuple[Child, dict[str, bytes]]) -> None:
    child, before = changed
    assert child.process.stdin is not None
    child.process.stdin.close()
    assert child.wait() == 0
    assert contents(root) == before


def test_sigterm_puts_everything_back(root: Path, changed: tuple[Child, dict[str, bytes]]) -> None:
    child, before = changed
    child.process.terminate()
    assert child.wait() == 0
    assert contents(root) == before


def test_what_a_terminal_sends_is_ignored(changed: tuple[Child, dict[str, bytes]]) -> None:
    child, _ = changed
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP, signal.SIGTTOU):
        child.process.send_signal(number)
    state = child.ask("state")
    assert state["knobs"]["swappiness"] == {"current": "10", "original": "60", "unavailable": None, "fix": None}


def test_sigterm_is_obeyed_although_nobody_reads_the_answers(root: Path, changed: tuple[Child, dict[str, bytes]]) -> None:
    child, before = changed
    for _ in range(100):
        child.send("state")
    child.process.terminate()
    assert child.wait() == 0
    assert contents(root) == before


def test_in_the_middle_of_a_raise_end_of_input_puts_everything_back(root: Path, start: Callable[[], Child]) -> None:
    before = contents(root)
    child = start()
    child.send("set", knob="min_free_kbytes", value="150000")
    wait_for(lambda: vm(root, "min_free_kbytes").read_text() != "67584\n")
    assert child.process.stdin is not None
    child.process.stdin.close()
    assert child.wait() == 0
    assert contents(root) == before


def test_after_a_kill_the_next_start_puts_everything_back_before_it_answers(
    root: Path, changed: tuple[Child, dict[str, bytes]], start: Callable[[], Child]
) -> None:
    child, before = changed
    child.process.kill()
    child.wait()
    assert contents(root) != before
    hello = start().ask("hello")
    assert contents(root) == before
    assert {mark["name"] for mark in hello["marks"] if mark["kind"] == "restored"} == set(SETTINGS)
    assert "killed before it could put everything back" in hello["notes"][0]


def test_when_the_parent_is_killed_everything_is_put_back(root: Path, tmp_path: Path) -> None:
    before = contents(root)
    command = [sys.executable, tree.__file__, str(root), str(tmp_path / "ledger")]
    script = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)\n"
        'child.stdin.write(b\'{"id": 1, "op": "set", "knob": "swappiness", "value": "10"}\\n\')\n'
        "child.stdin.flush(); print(child.stdout.readline(), flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, *command], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert b"true" in parent.stdout.readline()
        assert contents(root) != before
        parent.kill()
    wait_for(lambda: contents(root) == before)


def test_the_second_keeper_shows_values_names_the_first_and_takes_over(root: Path, start: Callable[[], Child]) -> None:
    first = start()
    pid = first.ask("hello")["pid"]
    second = start()
    hello = second.ask("hello")
    assert f"another wlat holds this host's settings (pid {pid}, since" in hello["read_only"]
    assert hello["knobs"]["swappiness"]["current"] == "60"
    refused = second.ask("set", knob="swappiness", value="10")
    assert not refused["ok"]
    assert vm(root, "swappiness").read_text() == "60\n"
    first.ask("bye")
    first.wait()
    assert second.ask("state")["read_only"] is None
    assert second.ask("set", knob="swappiness", value="10")["ok"]


def test_a_keeper_that_never_got_the_lock_leaves_without_a_complaint(start: Callable[[], Child]) -> None:
    first = start()
    assert first.ask("hello")["read_only"] is None
    second = start()
    assert "another wlat" in second.ask("hello")["read_only"]
    assert second.ask("bye")["ok"]
    assert second.wait() == 0


def kill_at_random_moments(
    begin: Callable[[], Child], moves: list[tuple[str, str]], settled: Callable[[], bool], rounds: int, seed: int
) -> int:
    """SIGKILL keepers in the middle of changes; every next one must have put everything back before it answers.

    Returns how many of them had something to put back.
    """
    chance = random.Random(seed)
    interrupted = 0
    child = begin()
    for _ in range(rounds):
        hello = child.ask("hello")
        interrupted += bool(hello["marks"])
        assert not [mark for mark in hello["marks"] if mark["kind"] == "foreign"], hello["marks"]
        assert settled(), hello
        for name, value in chance.sample(moves, k=len(moves)):
            child.send("set", knob=name, value=value)
        child.send("restore_all")
        time.sleep(chance.uniform(0, 0.03))
        child.process.kill()
        child.end()
        child = begin()
    child.ask("hello")
    assert settled()
    child.ask("bye")
    child.wait()
    return interrupted


def test_killed_fifty_times_at_random_moments_the_files_are_always_put_back(root: Path, start: Callable[[], Child]) -> None:
    before = contents(root)
    moves = [(name, value) for name, value in SETTINGS.items() if name != "min_free_kbytes"]

    def settled() -> bool:
        return {name: data for name, data in contents(root).items() if not name.endswith(".new")} == before

    assert kill_at_random_moments(start, moves, settled, 50, seed=1) > 5


def test_no_line_of_any_kind_makes_it_fall_over_or_leave_the_list(root: Path, tmp_path: Path) -> None:
    holding = Holding(root, tmp_path / "ledger")
    before = contents(root)
    names = st.sampled_from(
        [*SETTINGS, "stat_interval", "function_listing", "drop_caches", "../swappiness", "", "/proc/sys/vm/swappiness", "panic"]
    )
    numbers = st.integers(-(10**12), 10**12).map(str)
    odd = st.sampled_from(["bytes 1", "ratio 0", "always\nnever", "7; reboot", "\u0663", "1e3", " 5", "+5", "0x7"])
    text = st.one_of(st.text(max_size=60), numbers, odd)
    anything: st.SearchStrategy[Any] = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
        max_leaves=6,
    )
    operations = st.sampled_from([*keeper.OPERATIONS, "exec", "", "SET"]) | anything
    fields = {
        "knob": names | anything,
        "value": text | anything,
        "path": text,
        "addresses": text | anything,
        "from_ns": text,
        "to_ns": text,
    }
    requests = st.fixed_dictionaries({"id": st.integers() | anything, "op": operations}, optional=fields)
    lines = st.one_of(
        requests.map(lambda request: json.dumps(request).encode()),
        anything.map(lambda value: json.dumps(value).encode()),
        st.binary(max_size=200),
        st.just(b"[" * 4000),
        st.just(b'{"id": ' + b"9" * 4000 + b"}"),
        st.none(),
    )

    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=400)
    @given(lines)
    def check(line: bytes | None) -> None:
        found = keeper.answer(line, holding)
        assert isinstance(found["ok"], bool)
        assert found["ok"] or found["message"]
        assert "\n" not in found["message"]
        json.dumps(found)

    with pytest.MonkeyPatch.context() as patch:
        written: list[Path] = []
        put = tree.kernel(root)

        def spy(path: Path, value: str) -> None:
            written.append(path)
            put(path, value)

        for module in ("wlat_tui.mitigations.knob.put", "wlat_tui.holding.put"):
            patch.setattr(module, spy)
        patch.setattr("wlat_tui.holding.STEP_PAUSE_S", 0.0)
        check()
        holding.restore_all()
        allowed = {path for knob in holding.knobs.values() for path in knob.paths(root)} | {vm(root, "drop_caches")}
        assert set(written) <= allowed
    after = contents(root)
    after["proc/sys/vm/drop_caches"] = before["proc/sys/vm/drop_caches"]
    assert after == before


GARBAGE = {
    "nothing": b"",
    "not text": b"\xff\xfe",
    "null": b"null",
    "empty": b"{}",
    "a field missing": b'{"id":1,"op":"set"}',
    "longer than allowed": b"x" * 5000,
    "much longer than any buffer": b"x" * 200_000,
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_one_refusal_for_one_bad_line_and_the_next_request_is_answered(start: Callable[[], Child], garbage: bytes) -> None:
    child = start()
    assert child.process.stdin is not None
    child.process.stdin.write(garbage + b"\n")
    child.process.stdin.flush()
    refusal = child.answer()
    assert not refusal["ok"]
    assert refusal["id"] in (None, 1)
    assert child.ask("state")["ok"]


@pytest.fixture
def real(real_knobs: Mapping[Path, str]) -> Iterator[Callable[[], Child]]:
    """Keepers of this host's own settings."""
    assert real_knobs
    children: list[Child] = []

    def begin() -> Child:
        children.append(Child(REAL))
        return children[-1]

    yield begin
    for child in children:
        child.end()


def possible(child: Child) -> list[tuple[str, str]]:
    """Safe changes of what this host lets us change, away from what it has now."""
    found = []
    for name, state in child.ask("hello")["knobs"].items():
        value = REAL_SETTINGS.get(name)
        if state["unavailable"] is None and value is not None and state["current"] != value:
            found.append((name, value))
    if not found:
        pytest.skip("none of this host's settings can be changed from here (a container?)")
    return found


@pytest.mark.root
def test_on_this_host_every_knob_is_changed_and_put_back(real: Callable[[], Child], real_knobs: Mapping[Path, str]) -> None:
    child = real()
    for name, value in possible(child):
        answer = child.ask("set", knob=name, value=value)
        assert answer["ok"], answer["message"]
        assert child.ask("state")["knobs"][name]["current"] == value
    assert any(path.read_text().strip() != value for path, value in real_knobs.items())
    farewell = child.ask("bye")
    assert farewell["ok"], farewell["message"]
    assert child.wait() == 0
    assert {path: path.read_text().strip() for path in real_knobs} == real_knobs


@pytest.mark.root
def test_on_this_host_min_free_kbytes_is_raised_in_steps_and_too_much_is_refused(real: Callable[[], Child]) -> None:
    child = real()
    state = child.ask("hello")["knobs"]["min_free_kbytes"]
    if state["unavailable"] is not None:
        pytest.skip(state["unavailable"])
    original = int(state["current"])
    assert not child.ask("set", knob="min_free_kbytes", value=str(original - 1))["ok"]
    refusal = child.ask("set", knob="min_free_kbytes", value="4000000000")
    assert "OOM" in refusal["message"]
    child.ask("set", knob="min_free_kbytes", value=str(original * 5 // 4))
    assert child.ask("bye")["ok"]


@pytest.mark.root
def test_on_this_host_killed_fifty_times_the_settings_are_always_put_back(
    real: Callable[[], Child], real_knobs: Mapping[Path, str]
) -> None:
    child = real()
    moves = possible(child)
    child.ask("bye")
    child.end()

    def settled() -> bool:
        return {path: path.read_text().strip() for path in real_knobs} == real_knobs

    try:
        assert kill_at_random_moments(real, moves, settled, 50, seed=2) > 5
    finally:
        last = real()
        last.ask("bye")
        last.end()
    assert not list(LEDGER_DIRECTORY.glob("originals*"))


@pytest.mark.root
def test_the_installed_keeper_takes_no_argument_and_no_hint_from_the_environment(root: Path, tmp_path: Path) -> None:
    """What a sudoers line for exactly this command allows cannot be bent."""
    (tmp_path / "wlat_tui").mkdir()
    (tmp_path / "wlat_tui" / "__init__.py").write_text("raise SystemExit('hijacked')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "wlat_tui/__init__.py")}
    command = [*REAL, str(root), str(tmp_path / "ledger")]
    ended = subprocess.run(
        command, input=b'{"id":1,"op":"hello"}\n', capture_output=True, env=environment, cwd=tmp_path, check=True
    )
    assert json.loads(ended.stdout)["pid"] > 0
    assert not (tmp_path / "ledger").exists()


def test_without_root_it_says_so_and_leaves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert keeper.main() == 77
    assert capsys.readouterr().err == "wlat: kernel settings may only be changed by root\n"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
