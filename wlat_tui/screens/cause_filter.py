"""What each cause cost, and the choice of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from wlat_tui.model.stalls import TopCause
from wlat_tui.panels.stalls import IN_WRITE
from wlat_tui.renderables.causes import FAMILY_MARKS
from wlat_tui.theme import role_styles
from wlat_tui.units import format_ns


class CauseFilter(ModalScreen[tuple[str | None] | None]):
    """Returns the name of a cause, (None,) for all, or None when nothing was chosen."""

    BINDINGS: ClassVar = [Binding("escape,q,slash", "dismiss(None)", "Close", show=False)]

    def __init__(self, top: Sequence[TopCause], only: str | None) -> None:
        super().__init__()
        self._top = top
        self._only = only
        self._names = (None, IN_WRITE, *(top.cause.name for top in top))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="filter"):
            yield Static(Text("Stalls by cause, since the start", style="bold underline"))
            yield Static(Text(f"\n    {'cause':<24}{'stalls':>8}{'in all':>10}{'worst':>10}{'explained':>11}", style="dim"))
            yield OptionList(*self._options(), markup=False)
            yield Static(Text("Enter  list only these      Esc  close", style="bold"), classes="keys")

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = self._names.index(self._only) if self._only in self._names else 0
        self.query_one(OptionList).focus()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss((self._names[event.option_index],))

    def _options(self) -> list[Option]:
        styles = role_styles(self.app)
        count, total_ns = sum(top.count for top in self._top), sum(top.total_ns for top in self._top)
        options = [
            Option(f"  {'all causes':<24}{count:>8,}{format_ns(total_ns):>10}"),
            Option("  all causes, without late wakes"),
        ]
        for top in self._top:
            letter, role = FAMILY_MARKS[top.cause.family]
            explained = f"{100 * top.explained_ns / top.total_ns:.0f}%" if top.total_ns else "n/a"
            text = (
                f"{top.cause.title:<24}{top.count:>8,}{format_ns(top.total_ns):>10}{format_ns(top.worst_ns):>10}{explained:>11}"
            )
            options.append(Option(Text.assemble((f"{letter} ", styles.get(role, "")), text)))
        return options
