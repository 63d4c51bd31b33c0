"""Dialogs: everything is said before anything is done."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from wlat_tui.mitigations import Choice, Mitigation
from wlat_tui.model.session import Session
from wlat_tui.sources import DropCaches, Request


class ConfirmDialog(ModalScreen[bool]):
    """A question whose safe answer is the default."""

    BINDINGS = [Binding("y", "answer(True)", "Yes"), Binding("n,escape,enter,q", "answer(False)", "No")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="confirm"):
            yield Static(Text(self._question))
            yield Static(Text("y  yes, do it        n, Esc  no", style="bold"), classes="keys")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)


class MitigationDialog(ModalScreen[Request | None]):
    """Why, what to expect, what it would write; then a choice. Returns the request, or None."""

    BINDINGS: ClassVar = [Binding("escape,q", "cancel", "Close without changing anything", show=False)]

    def __init__(self, mitigation: Mitigation, session: Session, read_only: str | None) -> None:
        super().__init__()
        self._mitigation = mitigation
        self._session = session
        self._read_only = read_only
        self._choices: tuple[Choice, ...] = mitigation.choices(session)
        self._unavailable = mitigation.unavailable(session)

    @property
    def _refused(self) -> bool:
        return self._read_only is not None or self._unavailable is not None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="mitigation"):
            with VerticalScroll(id="text"):
                yield Static(self._text())
            if not self._refused:
                current = self._mitigation.current(self._session)
                yield OptionList(
                    *[
                        Option(_choice_text(choice, choice.value == current), id=str(i))
                        for i, choice in enumerate(self._choices)
                    ],
                    markup=False,
                )
                if self._mitigation.knob is not None or not self._choices:
                    yield Input(placeholder="or type another value here (Tab), then Enter", compact=True)
            yield Static("", id="refusal")
            hint = "Esc  close" if self._refused else "Enter  apply      Esc  close, change nothing"
            yield Static(Text(hint, style="bold"), classes="keys")

    def on_mount(self) -> None:
        if self._refused:
            self.query_one("#text").focus()
            return
        if self._choices:
            self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._ask(self._choices[event.option_index].value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._ask(event.value.strip())

    def action_cancel(self) -> None:
        self.dismiss(None)

    def _ask(self, value: str) -> None:
        try:
            request = self._mitigation.request(value, self._session)
        except ValueError as error:
            self.query_one("#refusal", Static).update(Text(str(error), style="bold reverse"))
            return
        if isinstance(request, DropCaches):
            question = (
                "Drop the clean page cache of this host now? It cannot be undone: what is needed again must be read from disk."
            )
            self.app.push_screen(ConfirmDialog(question), partial(self._confirmed, request))
            return
        self.dismiss(request)

    def _confirmed(self, request: Request, sure: bool | None) -> None:
        if sure:
            self.dismiss(request)

    def _text(self) -> Text:
        m = self._mitigation
        knob = self._session.knobs.get(m.knob.name) if m.knob is not None else None
        text = Text()
        text.append(f"{m.title}\n\n", style="bold underline")
        _paragraph(text, "Now", m.current(self._session) or "n/a")
        if knob is not None:
            _paragraph(text, "Before wlat", knob.original if knob.original is not None else "the same; wlat has not changed it")
        _paragraph(text, "Why", m.why)
        _paragraph(text, "Expect", m.expect)
        if m.caution:
            _paragraph(text, "Caution", m.caution)
        for change in [c for c in self._session.changes if c.mark.name == m.name][-1:]:
            _paragraph(text, "Last effect", change.text)
        if self._read_only is not None:
            _paragraph(text, "Cannot be applied", self._read_only)
        elif self._unavailable is not None:
            _paragraph(text, "Cannot be applied", self._unavailable.reason)
            if self._unavailable.fix is not None:
                _paragraph(text, "To make it available", self._unavailable.fix)
        if self._refused:
            for choice in self._choices:
                _paragraph(text, f"It would offer {choice.label}", choice.effect)
        return text


def _paragraph(text: Text, name: str, value: str) -> None:
    text.append(f"{name}: ", style="bold")
    text.append(f"{value}\n")


def _choice_text(choice: Choice, current: bool) -> Text:
    return Text.assemble((choice.label, "bold"), (" (now)" if current else "", ""), f"\n  {choice.effect}")
