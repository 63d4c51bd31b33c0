"""Advice that several causes share, each looking at the host first: what is on already is said, not recommended again."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice
from wlat_tui.causes.circumstances import Circumstances
from wlat_tui.frame import Mode, Policy, Prewarm


def prewarm(c: Circumstances) -> Advice:
    """Let the precursor allocate pages and buffer heads ahead of the writer."""
    now = c.settings.prewarm
    if now is Prewarm.WRITE:
        text = "Prewarming is on, yet this write met it: see in the precursor's line whether it came late or pages were lost."
        return Advice(text, "prewarm", active=True)
    if now is not Prewarm.OFF and c.filesystem == "xfs":
        return Advice(
            "Prewarming is on already; xfs has no buffer heads, so nothing is left to prepare.", "prewarm", active=True
        )
    heads = " and their buffer heads" if c.filesystem in ("ext4", "ext3", "ext2") else ""
    text = f"Prepare pages{heads} ahead, from another thread: then write() allocates nothing."
    return Advice(text, "prewarm", "write")


def watermark_gap(c: Circumstances) -> Advice:
    """Wake kswapd earlier."""
    now = c.knob("watermark_scale_factor")
    if now is None and c.kernel is not None and c.kernel < (4, 6):
        text = (
            "This kernel has no watermark_scale_factor (it came with 4.6): only min_free_kbytes widens the gap kswapd works in."
        )
        return Advice(text, "min_free_kbytes")
    if now is not None and now.isdecimal() and int(now) >= 200:
        text = (
            f"The gap is wide already (watermark_scale_factor {now}): kswapd is too slow for this load, so "
            "bound what fills the cache."
        )
        return Advice(text, "watermark_scale_factor", active=True)
    known = f" (now {now}, {int(now) / 100:g} % of each zone)" if now is not None and now.isdecimal() else ""
    text = f"Widen the gap in which kswapd frees pages before write() has to{known}: 200 is 2 %."
    return Advice(text, "watermark_scale_factor", "200")


def fifo(c: Circumstances, why: str) -> Advice:
    """Make the writer real-time."""
    if c.fifo:
        return Advice(
            f"The writer runs as SCHED_FIFO already (priority {c.settings.fifo_priority}): {why}", "fifo", active=True
        )
    return Advice(f"Run the writer as SCHED_FIFO: {why}", "fifo", "10")


def pin(c: Circumstances, why: str) -> Advice:
    """Keep the writer on CPUs of its own."""
    if c.settings.cpus:
        cpus = ", ".join(map(str, c.settings.cpus[:8]))
        return Advice(f"The writer is pinned to CPU {cpus}: keep other work and interrupts off it ({why}).", "pin", active=True)
    return Advice(f"Pin the writer to a CPU that others leave alone: {why}.", "pin")


def other_node(c: Circumstances) -> tuple[Advice, ...]:
    """Take pages from a node with room, where there is one."""
    roomy = [n for n in c.nodes if n.headroom_before_pages is not None]
    if len(roomy) < 2:
        return ()
    best = max(roomy, key=lambda n: n.headroom_before_pages or 0)
    if (best.headroom_before_pages or 0) <= 0:
        return ()
    value = f"prefer:{best.node}"
    if c.settings.policy in (Policy.BIND, Policy.PREFER) and c.settings.policy_nodes == (best.node,):
        return (Advice(f"Pages come from node {best.node} already, the one with most room.", "policy", active=True),)
    return (Advice(f"Node {best.node} had most room: take pages from there.", "policy", value),)


def readers(c: Circumstances, files: tuple[str, ...], lock: str) -> tuple[Advice, ...]:
    """Stop who reads the files whose printing holds the lock."""
    guilty = [d for d in c.neighbours if d.kind == "read" and any(file in d.what for file in files) and not d.own]
    if not guilty:
        names = " and ".join(f"/proc/{file}" for file in files)
        them = "it" if len(files) == 1 else "them"
        return (Advice(f"Look for readers of {names}: printing {them} holds {lock}. See suspects, or wlat doctor."),)
    by = guilty[0].by
    who = by.command or by.comm or "a process"
    where = f" in {by.container}" if by.container else ""
    started = f", started by {by.parent} ({by.parent_pid})" if by.parent and by.parent_pid else ""
    text = f"{who} ({by.pid}){where} was reading {guilty[0].what}{started}. Stop it, or let it read that file more rarely."
    target = by.parent_pid if by.parent_pid and by.parent_pid > 2 and by.parent else by.pid
    return (Advice(text, command=f"kill {target}"),)


def fewer_fsyncs(c: Circumstances) -> tuple[Advice, ...]:
    """Keep others' fsync away from this filesystem."""
    mount = c.host.target.mount_point if c.host is not None and c.host.target is not None else None
    place = f" on {mount}" if mount else ""
    syncers = [d for d in c.neighbours if d.kind == "fsync" and not d.own]
    if syncers:
        by = syncers[0].by
        who = by.command or by.comm or "a process"
        return (
            Advice(f"{who} ({by.pid}) calls fsync{place}: give the log a filesystem of its own, or let that one sync less."),
        )
    return (Advice(f"Someone's fsync or a large write-out{place} holds the journal: a filesystem of its own ends that."),)


def own_filesystem(c: Circumstances, instead: str) -> Advice:
    """Move the file to another filesystem."""
    return Advice(
        f"{instead} ({c.filesystem or 'this filesystem'} now); choose the place with --dir.", command="wlat --dir DIR"
    )


def dma_latency(c: Circumstances) -> Advice:
    """Forbid deep idle states."""
    if c.settings.dma_latency_us == 0:
        return Advice("Idle states are forbidden already (/dev/cpu_dma_latency 0).", "dma_latency", active=True)
    return Advice("Forbid deep idle states: a sleeping CPU takes its time to wake.", "dma_latency", "0")


def spin(c: Circumstances) -> Advice:
    """Do not sleep at all."""
    if c.settings.mode is Mode.SPIN:
        return Advice("The writer spins already.", "mode", active=True)
    return Advice("Spin instead of sleeping, on an isolated CPU: no timer, no idle state, no wake-up.", "mode", "spin")


def isolate(cpus: str = "N") -> Advice:
    """Boot parameters that keep everything else off a CPU."""
    return Advice(
        "Isolate a CPU for the writer at boot; then neither the scheduler nor the tick comes there.",
        command=f"grubby --update-kernel=ALL --args='isolcpus={cpus} nohz_full={cpus} rcu_nocbs={cpus}'",
    )
