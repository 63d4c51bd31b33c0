"""A question that is answered with a line of text."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from wlat_tui.screens.typing import OrderedInput


class AskDialog(ModalScreen[str | None]):
    """Returns what was typed, or None.

    Args:
        title: what is asked.
        hint: an example of an answer.
        refuse: why an answer is not possible (one sentence), or None; asked before the dialog closes.
        text: the answer that stands there at first.
    """

    BINDINGS: ClassVar = [Binding("escape", "dismiss(None)", "Close", show=False)]

    def __init__(self, title: str, hint: str, refuse: Callable[[str], str | None], text: str = "") -> None:
        super().__init__()
        self._title, self._hint, self._refuse, self._typed = title, hint, refuse, text

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="ask"):
            yield Static(Text(self._title, style="bold underline"))
            yield OrderedInput(self._typed, placeholder=self._hint, compact=True, select_on_focus=False)
            yield Static("", id="refusal")
            yield Static(Text("Enter  go on      Esc  close", style="bold"), classes="keys")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        answer = event.value.strip()
        if (why := self._refuse(answer)) is not None:
            self.query_one("#refusal", Static).update(Text(why, style="bold reverse"))
            return
        self.dismiss(answer)
