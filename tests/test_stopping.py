"""Commands without a screen end at the first signal, whatever they are in the middle of."""

from __future__ import annotations

import asyncio
import os
import signal

from wlat_tui.commands.stopping import until_stopped


async def left() -> None:
    pass


async def test_work_that_swallows_its_cancellation_ends_all_the_same() -> None:
    """As `asyncio.wait_for` of Python 3.11 does when what it waits for is there already."""
    swallowed = 0

    async def work() -> str:
        nonlocal swallowed
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    assert await until_stopped(work(), left) == "stopped by SIGTERM"
    assert swallowed == 2


async def test_work_that_ends_by_itself_says_why() -> None:
    async def work() -> str:
        return "over"

    assert await until_stopped(work(), left) == "over"
