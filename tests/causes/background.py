"""What writes take by themselves, before anything gets into their way: what an experiment counts has to stand out from that."""

from __future__ import annotations

from wlat_tui.frame import Frame, Span
from wlat_tui.histogram import Histogram

LISTENED_S = 20.0
"""A thousand writes at the pace of an emulated CPU: fewer have no p99.9."""
TIMES = 2.0
"""A write is counted as a stall from this multiple of the background's p99.9 on."""
STEP_NS = 1_000_000


class Background:
    """Folds frames.

    Attributes:
        services: service times of all writes so far.
    """

    def __init__(self) -> None:
        self.services = Histogram()

    def take(self, frame: Frame) -> None:
        if frame.writer is not None:
            for delta in frame.writer.histograms:
                if delta.span is Span.SERVICE:
                    self.services.add(delta)

    @property
    def p999_ns(self) -> int:
        """What all but one in a thousand did not exceed (of fewer than a thousand: none)."""
        return self.services.quantiles([0.999])[0]

    def threshold_ns(self, least_ns: int) -> int:
        """From where on a write stands out, in whole milliseconds; at least so much."""
        beyond_ns = -int(-TIMES * self.p999_ns // STEP_NS) * STEP_NS
        return max(least_ns, beyond_ns)
