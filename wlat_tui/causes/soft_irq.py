"""Softirq work (network, block, timers, RCU) on the writer's CPU."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Pair, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice(
            "Move the device whose work it is (network queues, disk) to other CPUs; switch receive packet steering off here.",
            command="echo 0 > /sys/class/net/DEVICE/queues/rx-0/rps_cpus",
        ),
        remedies.pin(c, "choose a CPU that serves no device"),
    )


CAUSE = Cause(
    name="soft_irq",
    title="soft interrupt",
    family=Family.INTERRUPT,
    says="The kernel did work for others (network, disk completions, timers) on the writer's CPU, on top of it.",
    signatures=(
        Signature(
            frames(
                "handle_softirqs __do_softirq do_softirq net_rx_action blk_done_softirq rcu_core tasklet_action* "
                "run_timer_softirq"
            ),
        ),
    ),
    pairs=(Pair("softirq_entry", "softirq_exit"),),
    probes=("irq:softirq_entry",),
    advise=_advise,
)
