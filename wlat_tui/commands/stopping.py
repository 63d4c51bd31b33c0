"""Ending a command that measures without a screen: by itself, or by a signal."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

CANCEL_AGAIN_S = 0.5


async def until_stopped(work: Coroutine[Any, Any, str], leave: Callable[[], Awaitable[None]]) -> str:
    """Run *work* to its end or to the first signal, which cancels it, then *leave*, which no second signal interrupts.

    Returns why it ended. Raises what *work* raises.
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    by: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        by.append(number)
        stopped.set()

    for number in SIGNALS:
        # nohup means: a hang-up is not for us
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop, number)
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else f"stopped by {by[0].name}"
    finally:
        stopping.cancel()
        # once is not enough on a busy host: asyncio.wait_for of Python 3.11 forgets it when what it waits for is there already
        while not working.done():
            working.cancel()
            await asyncio.wait((working,), timeout=CANCEL_AGAIN_S)
        await leave()
        for number in SIGNALS:
            loop.remove_signal_handler(number)
