"""The keys a person presses on wlat's screen, and what they wait for."""

from __future__ import annotations

import time

from tests.e2e.host import RECLAIM
from tests.e2e.terminal import ESCAPE_PAUSE_S, WAIT_S, Terminal, eventually, read_text
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
    # Textual gives bound keys (Tab, Enter) and typed ones to different queues: a burst of both arrives in another order
    terminal.press("tab")
    eventually(lambda: typed_into_the_field(terminal, value), f"{value} is in the field of {name}")
    terminal.press("enter")


def typed_into_the_field(terminal: Terminal, value: str) -> bool:
    """Type, and see whether the field had the focus already: its hint gives way to what is typed."""
    time.sleep(ESCAPE_PAUSE_S)  # usually long enough for the focus, and typing once more is slow
    terminal.send(value)
    try:
        terminal.wait_for(lambda text: HINT not in text, timeout_s=WAIT_S / 4)
    except AssertionError:
        return False
    return True


def reclaim_locally(terminal: Terminal, mode: str = "1") -> None:
    """Switch zone_reclaim_mode on this host, and wait until the kernel has it."""
    choose(terminal, "zone_reclaim_mode", mode)
    try:
        eventually(lambda: read_text(RECLAIM) == mode, f"{RECLAIM} is {mode}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{terminal.dump()}") from None
