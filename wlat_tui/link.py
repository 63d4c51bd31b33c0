"""When the low-bandwidth view comes and goes by itself."""

from __future__ import annotations

FIRST_TRIAL_S = 20.0
"""How long a link that was slow must keep up before the full view is tried again."""
LONGEST_TRIAL_S = 600.0


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
