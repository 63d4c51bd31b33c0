"""The screen's side: outcomes are sentences, a dead keeper is noticed and replaced, nothing is promised that cannot be kept."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.mitigations import tree
from tests.mitigations.tree import SETTINGS, contents, make_tree, vm
from wlat_tui import keeper_client
from wlat_tui.keeper_client import Keeper, KeeperError, ReadOnlyKnobs, open_knobs, sudoers_line
from wlat_tui.kernel import kallsyms

PATIENCE_S = 60.0


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "host")


@pytest.fixture
def command(root: Path, tmp_path: Path) -> tuple[str, ...]:
    return sys.executable, tree.__file__, str(root), str(tmp_path / "ledger")


@pytest.fixture
async def client(command: tuple[str, ...]) -> AsyncIterator[Keeper]:
    keeper = await Keeper.start(command=command)
    yield keeper
    await keeper.close()


async def dies(client: Keeper) -> None:
    """Kill the keeper and wait until its death has been noticed."""
    pid = client.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE_S):
        while client.pid == pid and client.read_only is None:
            await asyncio.sleep(0.01)


async def test_a_change_is_seen_in_the_state_and_marked_and_put_back_at_the_end(client: Keeper, root: Path) -> None:
    before = contents(root)
    outcome = await client.set("swappiness", "10")
    assert (outcome.ok, outcome.message) == (True, "vm.swappiness: 60 -> 10")
    state = (await client.state())["swappiness"]
    assert (state.current, state.original, state.unavailable) == ("10", "60", None)
    (mark,) = client.take_marks()
    assert (mark.kind, mark.name, mark.before, mark.after) == ("applied", "swappiness", "60", "10")
    assert client.take_marks() == ()
    farewell = await client.close()
    assert farewell.ok
    assert contents(root) == before
    assert [mark.kind for mark in client.take_marks()] == ["restored"]
    assert await client.close() == farewell


async def test_none_gives_back_the_original(client: Keeper, root: Path) -> None:
    await client.set("dirty_background", "bytes 67108864")
    assert (await client.set("dirty_background", None)).ok
    assert vm(root, "dirty_background_ratio").read_text() == "10\n"
    assert (await client.restore_all()).message == "nothing was changed, nothing to put back"


async def test_a_refusal_is_an_outcome_not_an_exception(client: Keeper) -> None:
    outcome = await client.set("watermark_scale_factor", "3000")
    assert not outcome.ok
    assert "outside 10 to 500" in outcome.message


async def test_requests_made_at_once_are_all_answered(client: Keeper) -> None:
    outcomes = await asyncio.gather(*(client.set(name, value) for name, value in SETTINGS.items()), client.drop_caches())
    assert all(outcome.ok for outcome in outcomes)


async def test_a_killed_keeper_is_replaced_and_what_it_had_changed_is_put_back(client: Keeper, root: Path) -> None:
    before = contents(root)
    await client.set("swappiness", "10")
    client.take_marks()
    await dies(client)
    assert contents(root) == before
    assert [(mark.kind, mark.name) for mark in client.take_marks()] == [("restored", "swappiness")]
    assert any("Killed" in notice for notice in client.take_notices())
    assert (await client.set("swappiness", "20")).ok


async def test_a_second_death_ends_all_changes_and_says_how_to_put_things_back(client: Keeper) -> None:
    await dies(client)
    await client.set("swappiness", "10")
    await dies(client)
    assert "the keeper ended" in (client.read_only or "")
    assert any("restore" in notice for notice in client.take_notices())
    state = (await client.state())["swappiness"]
    assert state.unavailable == client.read_only
    assert state.fix is not None
    assert state.fix.endswith("restore")
    assert not (await client.set("swappiness", "20")).ok
    assert not (await client.close()).ok


async def test_a_keeper_killed_while_it_says_goodbye_is_replaced_by_one_that_finishes(client: Keeper, root: Path) -> None:
    before = contents(root)
    await client.set("swappiness", "10")
    assert client.pid is not None
    os.kill(client.pid, signal.SIGSTOP)
    closing = asyncio.create_task(client.close())
    await asyncio.sleep(0.05)
    os.kill(client.pid, signal.SIGKILL)
    assert (await closing).ok
    assert contents(root) == before


async def test_while_the_keeper_is_busy_the_last_state_is_repeated(client: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_client, "STATE_TIMEOUT_S", 0.05)
    known = await client.state()
    assert client.pid is not None
    os.kill(client.pid, signal.SIGSTOP)
    try:
        assert await client.state() == known
        assert await client.state() == known
    finally:
        os.kill(client.pid, signal.SIGCONT)


async def test_the_second_client_is_read_only_until_the_first_leaves(client: Keeper, command: tuple[str, ...]) -> None:
    second = await Keeper.start(command=command)
    try:
        assert "another wlat" in (second.read_only or "")
        state = (await second.state())["swappiness"]
        assert state.current == "60"
        assert state.unavailable == second.read_only
        third = await Keeper.start(command=command)
        assert (await third.close()).ok  # it had nothing to put back, and that is no failure
        await client.close()
        assert (await second.state())["swappiness"].unavailable is None
        assert second.read_only is None
    finally:
        await second.close()


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (("/nonexistent/python",), "/nonexistent/python could not be started: No such file or directory"),
        ((sys.executable, "-c", "import sys; sys.exit('sudo: a password is required')"), "sudo asks for a password"),
        ((sys.executable, "-c", "print('Welcome to this host')"), "answered with something else"),
        ((sys.executable, "-c", "print('{}')"), "answered with something else"),
    ],
)
async def test_what_cannot_be_started_is_one_sentence(command: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(KeeperError, match=sentence):
        await Keeper.start(command=command)


async def test_without_privilege_values_are_shown_with_the_reason_and_the_command(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knobs = ReadOnlyKnobs("only root may change kernel settings", "sudo wlat", root)
    vm(root, "zone_reclaim_mode").unlink()
    state = await knobs.state()
    assert (state["swappiness"].current, state["swappiness"].unavailable, state["swappiness"].fix) == (
        "60",
        knobs.read_only,
        "sudo wlat",
    )
    assert state["zone_reclaim_mode"].unavailable == "this kernel has no vm.zone_reclaim_mode"
    assert state["dirty_limit"].current == "ratio 20"
    assert "drop_caches" in state
    assert not (await knobs.set("swappiness", "10")).ok
    assert (await knobs.close()).ok
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    refused = await open_knobs()
    assert isinstance(refused, ReadOnlyKnobs)
    assert ((await refused.state())["swappiness"].fix or "").startswith("sudo ")


async def test_read_only_starts_no_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_args: object, **_more: object) -> None:
        raise AssertionError("a keeper was started")

    monkeypatch.setattr(Keeper, "start", start)
    knobs = await open_knobs(read_only=True)
    assert knobs.read_only == "started with --read-only"


def test_a_sudoers_line_allows_one_command_and_escapes_what_sudo_would_interpret() -> None:
    assert (
        sudoers_line(("/opt/my env/python", "-I", "-m", "a=b"), "eve")
        == r"eve ALL=(root) NOPASSWD: /opt/my\ env/python -I -m a\=b"
    )


async def test_functions_are_named_by_who_may_see_addresses(client: Keeper) -> None:
    here = kallsyms.read_kallsyms()
    if here.hidden:
        pytest.skip("kernel addresses are hidden from this user, and so from the keeper of this test")
    words = (line.split() for line in Path("/proc/kallsyms").read_text().splitlines())
    address = next(int(word[0], 16) for word in words if word[1] == "T" and here.function(int(word[0], 16)) == word[2])
    many = [address] * (2 * keeper_client.ADDRESSES_AT_ONCE + 1)
    assert await client.functions(many) == [here.function(address)] * len(many)
    assert await client.functions([0x1000]) == ["0x1000"]
    assert await ReadOnlyKnobs("why").functions([address]) == ()
