"""What the status lines choose to say."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.model.makers import a_frame, a_tick, a_write, at
from wlat_tui.frame import Cost, Host, Policy, Span, Target
from wlat_tui.model.session import Session
from wlat_tui.panels.latency import LatencyPanel
from wlat_tui.panels.status import StatusPanel
from wlat_tui.renderables.line import plain


def told(session: Session) -> str:
    """The most pressing thing."""
    panel = StatusPanel("live", id="status")
    panel.take(session)
    return plain(panel._third[Span.SERVICE][0])


def started_late() -> Session:
    session = Session()
    for i in range(2):
        session.fold(a_frame(i, None, writer_missing="the engine is starting"))
    session.fold(a_frame(2, [a_write(at(2), 20_000)]))
    return session


def test_starting_is_no_gap_to_warn_of_but_a_later_one_is() -> None:
    session = started_late()
    assert "worst so far" in told(session)
    session.fold(a_frame(3, None, writer_missing="the engine was killed"))
    session.fold(a_frame(4, [a_write(at(4), 20_000)]))
    assert "gap of 200ms: the engine was killed" in told(session)


def test_the_first_percentiles_do_not_wait_for_their_second() -> None:
    panel = LatencyPanel(id="latency")
    session = Session()
    session.fold(a_frame(0, None, writer_missing="the engine is starting"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LatencyPanel, "outer_size", type("Size", (), {"width": 120, "height": 10}))
        panel.take(session)
        session.fold(a_frame(1, [a_write(at(1), 20_000)]))
        panel.take(session)
    assert panel._figures is not None
    assert panel._figures.service[1] is not None


def test_an_unusual_scheduling_and_memory_policy_stay_in_sight_where_the_usual_ones_give_way() -> None:
    panel = StatusPanel("live", id="status")
    session = started_late()
    panel.take(session)
    assert "memory" not in plain(panel._second[0])
    session.settings = replace(session.settings, policy=Policy.INTERLEAVE, policy_nodes=(0, 1, 2, 5))
    panel.take(session)
    assert all("memory interleave 0-2,5" in plain(wording) for wording in panel._second[:3])
    session.fold(replace(a_frame(3, None), writer=a_tick(9, at(3), at(4), sched_policy=os.SCHED_FIFO, sched_priority=10)))
    panel.take(session)
    assert all("FIFO 10" in plain(wording) for wording in panel._second[:3])


@pytest.mark.parametrize("width", [1, 2, 3, 20])
def test_why_nothing_is_measured_is_drawn_at_any_width(width: int) -> None:
    session = Session()
    session.fold(replace(a_frame(0, []), writer=None, writer_missing="the engine is starting"))
    panel = StatusPanel("live", id="status")
    panel.take(session)
    assert len(panel.body(width, 2)) == 2


def test_target_rate_losses_and_what_the_monitor_costs_are_told() -> None:
    session = Session()
    target = Target("/srv", "/", "ext4", "/dev/sda1", "rw,noatime", None, None)
    host = Host("box", "6.12.1", 4096, (0, 1), (), target, None, None, "root")
    cost = Cost(3.25, 0.25, 5.5, 100.0, None)
    session.fold(a_frame(0, [a_write(at(0), 20_000)], host=host, cost=cost, losses={"stalls": 3}))
    panel = StatusPanel("live", id="status")
    panel.sent_per_s = 2048
    panel.take(session)
    first, second = plain(panel._first[0]), plain(panel._second[0])
    assert "box" in first
    assert "Linux 6.12.1" in first
    assert "ext4 on /dev/sda1 (rw,noatime)" in first
    assert "of 5,000 writes/s" in second
    assert "lost 3 stalls" in second
    assert "monitor costs 3.5% + writer 5.5% CPU, 2.00K/s sent" in second
