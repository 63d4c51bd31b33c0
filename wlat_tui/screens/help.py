"""Every key, taken from the bindings themselves, and how to read each panel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.keys import format_key
from textual.screen import ModalScreen
from textual.widgets import Static

from wlat_tui.panels.panel import Panel


def key_rows(bindings: Iterable[BindingType]) -> list[tuple[str, str]]:
    """(keys, what they do) of each binding; those of the same description share a row."""
    rows: dict[str, list[str]] = {}
    for binding in bindings:
        assert isinstance(binding, Binding)
        names = [_as_on_the_keyboard(key) for key in binding.key.split(",")]
        rows.setdefault(binding.tooltip or binding.description, []).extend(names)
    return [(" ".join(keys), text) for text, keys in rows.items()]


def _as_on_the_keyboard(key: str) -> str:
    sign = format_key(key)
    return sign if len(sign) == 1 and sign.isascii() else key.title()


class HelpScreen(ModalScreen[None]):
    """What can be pressed and what is seen."""

    BINDINGS = [Binding("escape,q,f1,question_mark,h", "dismiss", "Close the help")]

    def __init__(self, bindings: Sequence[tuple[str, Sequence[BindingType]]], panels: Sequence[type[Panel]]) -> None:
        super().__init__()
        self._sections = bindings
        self._panels = panels

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", id="help"):
            yield Static(self._text())

    def _text(self) -> Text:
        text = Text()
        for name, bindings in self._sections:
            text.append(f"{name}\n", style="bold underline")
            for keys, what in key_rows(bindings):
                text.append(f"  {keys:<18}", style="bold")
                text.append(f"{what}\n")
            text.append("\n")
        for panel in self._panels:
            text.append(f"{panel.title}\n", style="bold underline")
            text.append(f"  {panel.help}\n\n")
        text.append("Words\n", style="bold underline")
        text.append(
            "  service   what write() itself took\n"
            "  response  from the moment the write was planned; includes waiting behind a stalled one\n"
            "  in-page   the write stayed in a page that was there; new-page needed a fresh one; prepared: the "
            "precursor had made it\n"
            "  room      free memory above the low watermark, lowmem reserve taken off\n"
            "  stall     a write over the threshold by itself: slow inside write(), or begun late; what queued behind it "
            "is not counted\n\n"
            "Nothing is changed on this host without a dialog that shows the file and the value first. Esc closes."
        )
        return text
