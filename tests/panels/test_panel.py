"""What panels have in common: some are drawn less often than frames come."""

from __future__ import annotations

from tests.model.makers import a_frame, a_write, at
from wlat_tui.model.session import Session
from wlat_tui.panels.panel import HALF_AS_OFTEN_NS
from wlat_tui.panels.status import StatusPanel


class Counted(StatusPanel):
    """Counts how often it takes the session's state."""

    taken = 0

    def take(self, session: Session) -> None:
        self.taken += 1


def a_session(frames: int) -> Session:
    session = Session()
    for number in range(frames):
        session.fold(a_frame(number, [a_write(at(number), 20_000)]))
    return session


def test_a_panel_that_rests_follows_frames_less_often_but_another_session_and_the_user_at_once() -> None:
    panel, session = Counted("live", id="status"), a_session(1)
    panel.follow(session)
    panel.follow(session)
    assert panel.taken == 1
    panel.show(session)
    assert panel.taken == 2
    panel.follow(a_session(1))
    assert panel.taken == 3
    panel.follow(session)
    assert panel.taken == 4
    began_ns, number = session.now_ns, 1
    while session.now_ns - began_ns < HALF_AS_OFTEN_NS:
        assert panel.taken == 4
        session.fold(a_frame(number, [a_write(at(number), 20_000)]))
        panel.follow(session)
        number += 1
    assert panel.taken == 5
