"""A text field in which every key takes effect in the order it was typed."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.widgets import Input


def _actions() -> dict[str, str]:
    """Key -> action, as `Input` itself binds them."""
    found: dict[str, str] = {}
    for binding in Input.BINDINGS:
        keys, action = (binding.key, binding.action) if isinstance(binding, Binding) else binding[:2]
        found |= dict.fromkeys((key.strip() for key in keys.split(",")), action)
    return found


class OrderedInput(Input):
    """An `Input` that runs its bindings itself.

    Textual runs a bound key (Backspace, Enter) only once it has bubbled up to the app; letters that arrived with it in one
    burst, as over a slow link, are in the field by then, and Backspace takes away the wrong one.
    """

    ACTIONS: ClassVar = _actions()

    async def _on_key(self, event: events.Key) -> None:
        action = self.ACTIONS.get(event.key)
        if action is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        await self.app.run_action(action, default_namespace=self)
