"""When the low-bandwidth view comes and goes by itself, and how often it is drawn."""

from __future__ import annotations

FIRST_TRIAL_S = 20.0
"""How long a link that was slow must keep up before the full view is tried again."""
LONGEST_TRIAL_S = 600.0
BUDGET_BYTES_PER_S = 1_800
"""What the low-bandwidth view sends on average: under 2 KB/s also where every row changes with every frame."""
MOST_OWED_BYTES = 3 * BUDGET_BYTES_PER_S
"""After something large (the whole screen, a dialog) the next frame waits no longer than this takes."""


class LinkView:
    """Decides between the full and the low-bandwidth view.

    A link that carries the small view well may or may not carry the full one: only trying shows it. Each failed trial doubles
    the time until the next, so that a slow link is not filled again and again.
    """

    def __init__(self, wanted: bool | None) -> None:
        """``wanted``: the user's choice; None: by itself."""
        self.low_bandwidth = bool(wanted)
        self._by_itself = wanted is None
        self._trial_s = FIRST_TRIAL_S / 2
        self._well_since_s: float | None = None
        self._owed_bytes = 0.0
        self._seen: tuple[float, int] | None = None

    def choose(self, low_bandwidth: bool) -> None:
        """The user decides, from now on."""
        self.low_bandwidth, self._by_itself = low_bandwidth, False

    def judge(self, now_s: float, *, slow: bool, late: bool) -> str | None:
        """Take the terminal's state in (``late``: behind, ``slow``: far behind); returns the news when the view changed."""
        if not self._by_itself:
            return None
        if late or slow:
            self._well_since_s = None
        elif self._well_since_s is None:
            self._well_since_s = now_s
        if not self.low_bandwidth and slow:
            self.low_bandwidth = True
            self._trial_s = min(LONGEST_TRIAL_S, self._trial_s * 2)
            return "The link is slow: low-bandwidth view (b switches back)"
        if self.low_bandwidth and self._well_since_s is not None and now_s - self._well_since_s >= self._trial_s:
            self.low_bandwidth, self._well_since_s = False, None
            return "The link keeps up again: full view"
        return None

    def affords(self, now_s: float, sent_bytes: int) -> bool:
        """Whether a frame may be drawn now: in the low-bandwidth view, when what was sent before is paid for.

        Args:
            now_s: a clock that only goes forward.
            sent_bytes: all bytes since the start.
        """
        if self._seen is not None:
            then_s, before = self._seen
            owed = self._owed_bytes + sent_bytes - before - BUDGET_BYTES_PER_S * (now_s - then_s)
            self._owed_bytes = min(MOST_OWED_BYTES, max(0.0, owed))
        self._seen = now_s, sent_bytes
        return not self.low_bandwidth or self._owed_bytes == 0
