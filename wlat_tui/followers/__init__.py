"""What watches a run besides the screen: it is shown the session after every frame and may say that it is time to end."""

from __future__ import annotations

from typing import Protocol

from wlat_tui.model.session import Session


class Follower(Protocol):
    """Called from the event loop after every frame; must return at once."""

    def take(self, session: Session) -> str | None:
        """Why it is time to end, in a few words; None: go on."""

    async def close(self) -> None:
        """End whatever is still running. Idempotent."""


def first_reason(followers: tuple[Follower, ...], session: Session) -> str | None:
    """Show the session to all of them; the first reason to end, if any."""
    reasons = [follower.take(session) for follower in followers]
    return next((reason for reason in reasons if reason is not None), None)
