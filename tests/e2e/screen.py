"""The keys a person presses on wlat's screen, and what they wait for."""

from __future__ import annotations

from tests.e2e.host import RECLAIM
from tests.e2e.terminal import Terminal, eventually, read_text
from wlat_tui.mitigations import catalogue

READY = "Worst write() latency"


def choose(terminal: Terminal, name: str, value: str) -> None:
    """Open a mitigation's dialog and apply a value by typing it. Returns once the request was sent, not once it is done."""
    names = [mitigation.name for mitigation in catalogue()]
    title = catalogue()[names.index(name)].title
    terminal.press("3", "g", *["down"] * names.index(name), "enter")
    terminal.wait_for(lambda text: "Enter  apply" in text and title in text)
    terminal.press("tab")
    terminal.send(value)
    terminal.press("enter")


def reclaim_locally(terminal: Terminal, mode: str = "1") -> None:
    """Switch zone_reclaim_mode on this host, and wait until the kernel has it."""
    choose(terminal, "zone_reclaim_mode", mode)
    try:
        eventually(lambda: read_text(RECLAIM) == mode, f"{RECLAIM} is {mode}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{terminal.dump()}") from None
