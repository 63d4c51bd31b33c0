"""Interprocessor interrupts: TLB shootdowns and function calls."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Pair, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice(
            "Threads of the same process that unmap memory (munmap, madvise, exit) cause it: keep the writer in one of its own."
        ),
        Advice("NUMA balancing and huge-page collapse cause it too.", command="sysctl kernel.numa_balancing=0"),
    )


CAUSE = Cause(
    name="tlb_ipi",
    title="interrupt from a CPU",
    family=Family.INTERRUPT,
    says="Another CPU made this one drop address translations or run a function, on top of the writer; or the "
    "writer waited for such an answer.",
    signatures=(
        Signature(
            frames(
                "asm_sysvec_call_function* sysvec_call_function* __sysvec_call_function* flush_tlb_func "
                "generic_smp_call_function_single_interrupt __flush_smp_call_function_queue flush_smp_call_function_queue "
                "smp_call_function_many_cond flush_tlb_mm_range arch_tlbbatch_flush native_flush_tlb_multi"
            ),
        ),
    ),
    pairs=(
        Pair("call_function_entry", "call_function_exit"),
        Pair("call_function_single_entry", "call_function_single_exit"),
    ),
    probes=("irq_vectors:call_function_entry", "irq_vectors:call_function_single_entry"),
    advise=_advise,
)
