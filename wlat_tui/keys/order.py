"""Keys typed in one go take effect one after the other, also when one of them opens a dialog."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.screen import Screen

_PATIENCE_S = 2.0
"""A key whose effect takes longer no longer holds up the next one."""
_LOOK_S = 0.02


class OrderedKeys(App[int]):
    """Part of `wlat_tui.app.WlatApp`.

    Textual hands a key to whatever has focus and goes on to the next one at once, while the first still passes through several
    queues. Of a burst (a quick hand, a slow link) the keys behind the one that opens a dialog would reach the screen below it.
    """

    _typed: deque[events.Event]
    _delivering = False

    async def on_event(self, event: events.Event) -> None:
        typed = isinstance(event, (events.Key, events.Paste)) and not event.is_forwarded
        if not typed:
            await super().on_event(event)
            return
        if not self._delivering:
            self._delivering, self._typed = True, deque()
            self.run_worker(self._deliver(), group="keys")
        self._typed.append(event)

    async def _deliver(self) -> None:
        try:
            while self._typed and self.screen_stack:
                screen = self.screen
                target = self.focused or screen
                await super().on_event(self._typed.popleft())
                try:
                    async with asyncio.timeout(_PATIENCE_S):
                        await self._settle(target, screen)
                except TimeoutError:
                    self.log.warning("a key took longer than expected; the next one goes on without it")
        finally:
            self._delivering = False

    async def _settle(self, target: DOMNode, screen: Screen[Any]) -> None:
        """Wait for the key to bubble up to the app, then for what it made widgets say, then for a new screen to take keys."""
        for node in target.ancestors_with_self * 2:
            await _handled_so_far(node)
        top = self.screen if self.screen_stack else screen
        if top is screen:
            return
        while not top.is_mounted:
            await asyncio.sleep(_LOOK_S)
        for node in (top, self, top, self):  # its focus is set by way of the app's queue
            await _handled_so_far(node)


async def _handled_so_far(node: DOMNode) -> None:
    """Wait until everything that is in this queue now was handled, or never will be."""
    reached = asyncio.Event()
    if not node.post_message(events.Callback(callback=reached.set)):
        return
    while not reached.is_set() and node.is_running:
        try:
            await asyncio.wait_for(reached.wait(), _LOOK_S)
        except TimeoutError:
            continue
