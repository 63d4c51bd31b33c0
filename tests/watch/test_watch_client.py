"""The screen's side: a watcher that dies is said in one sentence and comes back; one that sudo refuses goes on without root."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from wlat_tui import watch_client
from wlat_tui.watch_client import EVERYTHING, Told, Watcher

PATIENCE_S = 60
SAYS = 'import json, sys; print(json.dumps({"watches": [], "heard": json.loads(sys.stdin.readline())}), flush=True)'
WAITS = "; sys.stdin.read()"
ECHOES = (
    "import json, sys\n"
    "for line in sys.stdin:\n"
    " wish = json.loads(line)\n"
    " print(json.dumps({'lost': len(wish['own']) + 100 * wish['opens']}), flush=True)\n"
)


@asynccontextmanager
async def keeping(watcher: Watcher) -> AsyncIterator[Watcher]:
    task = asyncio.create_task(watcher.keep())
    try:
        yield watcher
    finally:
        await watcher.close()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def told(watcher: Watcher, wanted: Callable[[Told, tuple[str, ...]], bool]) -> tuple[Told, tuple[str, ...]]:
    """The first answer that fits."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = watcher.take()
            if wanted(*found):
                return found
            await asyncio.sleep(0.02)


def some_watcher(directory: Path, script: str) -> Watcher:
    return Watcher(directory, sudo=False, command=(sys.executable, "-c", script))


async def test_a_watcher_that_was_killed_is_said_in_one_sentence_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_client, "RESTART_DELAYS_S", (0.1,))
    async with keeping(some_watcher(tmp_path, SAYS + WAITS)) as watcher:
        await told(watcher, lambda found, _: found.watches == ())
        pid = watcher.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        found, notices = await told(watcher, lambda _, notices: bool(notices))
        assert notices == ("the watcher was killed by signal 9: nobody is named until it runs again, in 0.1 s",)
        assert found.watches is not None
        assert [(watch.name, watch.armed) for watch in found.watches] == [(EVERYTHING, False)]
        await told(watcher, lambda found, _: found.watches == ())
        assert watcher.pid != pid


async def test_a_watcher_that_gives_up_says_why_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_client, "RESTART_DELAYS_S", (60.0,))
    async with keeping(some_watcher(tmp_path, "import sys; sys.exit('no luck today')")) as watcher:
        _, notices = await told(watcher, lambda _, notices: bool(notices))
        assert notices == ("no luck today: nobody is named until it runs again, in 60 s",)


async def test_nonsense_from_the_watcher_is_said_and_it_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_client, "RESTART_DELAYS_S", (60.0,))
    async with keeping(some_watcher(tmp_path, "import sys; print('moo', flush=True); sys.stdin.read()")) as watcher:
        _, notices = await told(watcher, lambda _, notices: bool(notices))
        assert "makes no sense" in notices[0]


async def test_where_sudo_refuses_it_goes_on_without_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says = "import sys; sys.exit('sudo: a password is required')"
    monkeypatch.setattr(watch_client, "SUDO", (sys.executable, "-c", says))
    watcher = Watcher(tmp_path, sudo=True, command=(sys.executable, "-c", SAYS + WAITS))
    async with keeping(watcher):
        _, notices = await told(watcher, lambda _, notices: bool(notices))
        assert notices[0].startswith("sudo asks for a password for the watcher")


async def test_closing_ends_the_process_and_may_be_done_twice(tmp_path: Path) -> None:
    async with keeping(Watcher(tmp_path, sudo=False)) as watcher:
        await told(watcher, lambda found, _: found.watches is not None)
        pid = watcher.pid
        assert pid is not None
        await watcher.close()
        await watcher.close()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_tracing_opens_starts_it_anew_with_the_privileges_it_had_given_up(tmp_path: Path) -> None:
    async with keeping(some_watcher(tmp_path, ECHOES)) as watcher:
        await told(watcher, lambda found, _: found.lost == 1)
        pid = watcher.pid
        watcher.trace_opens(True)
        watcher.own(frozenset({1}), ())  # its pipe is closed already
        _, notices = await told(watcher, lambda found, _: found.lost >= 100)
        assert watcher.pid != pid
        assert notices == ()


async def test_it_is_told_anew_which_processes_are_wlats_own(tmp_path: Path) -> None:
    async with keeping(some_watcher(tmp_path, ECHOES)) as watcher:
        await told(watcher, lambda found, _: found.lost == 1)
        watcher.own(frozenset({1, 2}), ())
        await told(watcher, lambda found, _: found.lost == 3)
