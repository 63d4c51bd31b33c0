"""How wlat asks sudo for its three privileged processes, and what sudo means when it refuses."""

from __future__ import annotations

from typing import TypedDict

SUDO = ("sudo", "-n", "--")
"""``-n``: never ask for a password, there is a screen on the terminal."""


class Apart(TypedDict, total=False):
    """Arguments of subprocess calls that keep a child out of reach of the terminal's signals."""

    start_new_session: bool
    process_group: int


def apart(sudo: bool) -> Apart:
    """Ctrl-C and a hang-up go to the terminal's foreground process group: the child must not be in it.

    A session of its own is safest, but sudo remembers a password per terminal and session (``timestamp_type``, sudoers(5)):
    in another session ``sudo -v && wlat --sudo`` would be refused.
    """
    return Apart(process_group=0) if sudo else Apart(start_new_session=True)


def refusal(said: str) -> str | None:
    """One sentence when these last words (stderr) are sudo's; None when they are somebody else's or there are none."""
    words = said.splitlines()[-1].strip() if said.strip() else ""
    if words in ("sudo: a password is required", "sudo: interactive authentication is required"):  # the latter: sudo-rs
        return "sudo asks for a password"
    if words.startswith("sudo: ") or " is not in the sudoers file" in words or " is not allowed to " in words:
        return f"sudo refuses: {words.removeprefix('sudo: ')}"
    return None
