"""Dialogs: everything is said before anything is done."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from wlat_tui.mitigations import Choice, Mitigation, Unavailable
from wlat_tui.model.session import Session
from wlat_tui.screens.typing import OrderedInput
from wlat_tui.sources import DropCaches, Request

_BORDER_ROWS = 2


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
    """Why, what to expect, what it would write; then a choice. Returns the request, or None.

    It follows the session while it is open (`follow`): what is chosen or typed so far stays.
    """

    BINDINGS: ClassVar = [
        Binding("escape,q", "cancel", "Close without changing anything", show=False),
        # priority: focus must have moved before the next letter of the same burst arrives
        Binding("tab", "app.focus_next", "Next", show=False, priority=True),
        Binding("shift+tab", "app.focus_previous", "Previous", show=False, priority=True),
        *(Binding(digit, f"type('{digit}')", "Type a value", show=False, priority=True) for digit in "0123456789"),
    ]

    def __init__(self, mitigation: Mitigation, session: Session, read_only: str | None, suggested: str | None = None) -> None:
        super().__init__()
        self._mitigation = mitigation
        self._suggested = suggested
        self._session = session
        self._read_only = read_only
        self._drawn: tuple[str, str] | None = None
        self._take()

    def _take(self) -> None:
        """Keep what the session says now."""
        self._choices: tuple[Choice, ...] = self._mitigation.choices(self._session)
        self._current = self._mitigation.current(self._session)
        self._unavailable: Unavailable | None = self._mitigation.unavailable(self._session)

    @property
    def offering(self) -> bool:
        """Whether something can be chosen now. What the kernel refused may still be asked for again, or switched off."""
        return self._read_only is None and (self._unavailable is None or self._unavailable.refused)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="mitigation"):
            yield Static(id="head")
            with VerticalScroll(id="text"):
                yield Static(id="why")
            yield OptionList(*self._options(), markup=False)
            hint = "or type another value here (Tab or a digit), then Enter"
            yield OrderedInput(placeholder=hint, compact=True, select_on_focus=False)
            yield Static("", id="refusal")
            yield Static(id="hint", classes="keys")

    def on_mount(self) -> None:
        self._show()
        if not self.offering:
            self.query_one("#text").focus()
        elif self._choices:
            self.query_one(OptionList).focus()
        values = [choice.value for choice in self._choices]
        if self._current in values:
            self.query_one(OptionList).highlighted = values.index(self._current)  # Enter alone changes nothing
        if self._suggested is not None and self.offering:
            self._suggest(self._suggested)

    def _suggest(self, value: str) -> None:
        """Choose this value, or the first of its kind (``write`` stands for ``write 4M``); else write it into the field."""
        for at, choice in enumerate(self._choices):
            if choice.value == value or choice.value.startswith(f"{value} "):
                self.query_one(OptionList).highlighted = at
                return
        field = self.query_one(Input)
        if field.display:
            field.value = value
            self.set_focus(field)

    def on_resize(self, event: events.Resize) -> None:
        self._divide(event.size.width, event.size.height)

    def follow(self) -> None:
        """Show the session's present state; the highlighted choice and typed text stay as they are."""
        if not self.is_mounted:
            return
        before = self._choices, self._current, self.offering
        self._take()
        if (self._choices, self._current) != before[:2]:
            self._replace_options(before[0])
        self._show()
        if self.offering and not before[2]:
            self.query_one(OptionList).focus()
        elif before[2] and not self.offering:
            self.query_one("#text").focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._ask(self._choices[event.option_index].value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self._ask(event.value.strip())

    def action_cancel(self) -> None:
        self.dismiss(None)

    def action_type(self, digit: str) -> None:
        """A digit typed in the list begins a value."""
        field = self.query_one(Input)
        if field.has_focus or not field.display:
            raise SkipAction
        self.set_focus(field)  # at once; Widget.focus() waits for the app's queue
        field.insert_text_at_cursor(digit)

    def _options(self) -> list[Option]:
        return [Option(_choice_text(c, c.value == self._current), id=str(i)) for i, c in enumerate(self._choices)]

    def _replace_options(self, before: tuple[Choice, ...]) -> None:
        options = self.query_one(OptionList)
        at = options.highlighted
        value = None if at is None or at >= len(before) else before[at].value
        with options.prevent(OptionList.OptionHighlighted):
            options.clear_options()
            options.add_options(self._options())
            places = [i for i, choice in enumerate(self._choices) if choice.value == value]
            options.highlighted = places[0] if places else 0 if self._choices else None
        self._divide(*self.size)

    def _show(self) -> None:
        texts = self._head(), self._text()
        self.query_one(OptionList).display = self.offering and bool(self._choices)
        self.query_one(Input).display = self.offering and (self._mitigation.knob is not None or self._current is not None)
        drawn = texts[0].markup, texts[1].markup
        if drawn == self._drawn:
            return
        self._drawn = drawn
        self.query_one("#head", Static).update(texts[0])
        self.query_one("#why", Static).update(texts[1])
        hint = "Enter  apply      Esc  close, change nothing" if self.offering else "Esc  close"
        self.query_one("#hint", Static).update(Text(hint, style="bold"))
        self._divide(*self.size)

    def _divide(self, width: int, height: int) -> None:
        """Give the list what it needs, up to half of the rows, and the text the rest: the head and the keys always fit."""
        inside = max(20, min(96, width * 96 // 100) - 8)
        head = sum(-(-len(line) // inside) for line in self._head().plain.splitlines())
        fixed = _BORDER_ROWS + head + (4 if self.offering else 2)  # field, refusal, hint, blank row over the list
        room = max(2, height * 96 // 100 - fixed)
        wanted = sum(1 + -(-(len(choice.effect) + 2) // inside) for choice in self._choices)
        rows = min(wanted, max(2, room // 2)) if self.offering else 0
        self.query_one(OptionList).styles.max_height = rows
        self.query_one("#text").styles.max_height = max(1, room - rows)

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

    def _head(self) -> Text:
        """What must be seen whatever is scrolled: which setting, and how it stands."""
        m = self._mitigation
        knob = self._session.knobs.get(m.knob.name) if m.knob is not None else None
        text = Text()
        text.append(m.title, style="bold underline")
        if m.knob is None and self._current is None:
            return text  # an action has no value
        text.append("\nNow: ", style="bold")
        text.append(self._current or "n/a")
        if knob is not None:
            text.append("      Before wlat: ", style="bold")
            text.append(knob.original if knob.original is not None else "the same; wlat has not changed it")
        return text

    def _text(self) -> Text:
        m = self._mitigation
        text = Text()
        if self._read_only is not None:
            _paragraph(text, "Cannot be applied", self._read_only)
        elif self._unavailable is not None:
            _paragraph(text, "Not in force" if self._unavailable.refused else "Cannot be applied", self._unavailable.reason)
            if self._unavailable.fix is not None:
                _paragraph(text, "To make it available", self._unavailable.fix)
        _paragraph(text, "Why", m.why)
        _paragraph(text, "Expect", m.expect)
        if m.caution:
            _paragraph(text, "Caution", m.caution)
        for change in [c for c in self._session.changes if c.mark.name == m.name][-1:]:
            _paragraph(text, "Last effect", change.text)
        if not self.offering:
            for choice in self._choices:
                _paragraph(text, f"It would offer {choice.label}", choice.effect)
        text.rstrip()
        return text


def _paragraph(text: Text, name: str, value: str) -> None:
    text.append(f"{name}: ", style="bold")
    text.append(f"{value}\n")


def _choice_text(choice: Choice, current: bool) -> Text:
    return Text.assemble((choice.label, "bold"), (" (now)" if current else "", ""), f"\n  {choice.effect}")
