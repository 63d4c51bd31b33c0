"""The keys a person presses on wlat's screen, and what they wait for."""

from __future__ import annotations

from tests.e2e.host import RECLAIM
from tests.e2e.terminal import Terminal, eventually, read_text
from wlat_tui.mitigations import catalogue

READY = "Worst write() latency"
HINT = "or type another value here"


def open_dialog(terminal: Terminal, name: str) -> None:
    """Go to a mitigation's line, wait until it shows a value, and press Enter."""
    names = [mitigation.name for mitigation in catalogue()]
    title = catalogue()[names.index(name)].title[:18]
    terminal.press("3", "g", *["down"] * names.index(name))
    terminal.wait_for(lambda text: any(title in line and " n/a" not in line for line in text.splitlines()))
    terminal.press("enter")


def choose(terminal: Terminal, name: str, value: str) -> None:
    """Open the dialog of a setting under /proc/sys/vm and apply a value by typing it. Returns before it is done."""
    open_dialog(terminal, name)
    terminal.wait_for(lambda text: "Enter  apply" in text and HINT in text and f"/{name}" in text)
    terminal.send(f"\t{value}")
    terminal.wait_for(lambda text: HINT not in text)
    terminal.press("enter")


def reclaim_locally(terminal: Terminal, mode: str = "1") -> None:
    """Switch zone_reclaim_mode on this host, and wait until the kernel has it."""
    choose(terminal, "zone_reclaim_mode", mode)
    try:
        eventually(lambda: read_text(RECLAIM) == mode, f"{RECLAIM} is {mode}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{terminal.dump()}") from None
