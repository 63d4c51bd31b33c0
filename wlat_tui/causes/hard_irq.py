"""A hardware or timer interrupt on the writer's CPU."""

from __future__ import annotations

from wlat_tui.causes import remedies
from wlat_tui.causes.cause import Advice, Cause, Family, Pair, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice(
            "Move that interrupt to other CPUs; the evidence has its number.",
            command="echo CPUS > /proc/irq/N/smp_affinity_list",
        ),
        remedies.pin(c, "choose a CPU that serves no device, see /proc/interrupts"),
    )


CAUSE = Cause(
    name="hard_irq",
    title="hardware interrupt",
    family=Family.INTERRUPT,
    says="A device or timer interrupted the writer's CPU and was served on top of it.",
    signatures=(
        Signature(
            frames(
                "asm_common_interrupt common_interrupt __common_interrupt asm_sysvec_* sysvec_* handle_irq_event "
                "handle_edge_irq "
                "handle_fasteoi_irq"
            ),
        ),
    ),
    pairs=(Pair("irq_handler_entry", "irq_handler_exit"), Pair("local_timer_entry", "local_timer_exit")),
    probes=("irq:irq_handler_entry",),
    advise=_advise,
)
