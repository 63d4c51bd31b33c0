"""How memory stands: watermarks, reclaim, huge pages, limits."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.frame import Zone
from wlat_tui.kernel.balloon import reports_free_pages
from wlat_tui.kernel.cgroup import read_cgroups
from wlat_tui.kernel.files import read_line
from wlat_tui.kernel.meminfo import read_meminfo
from wlat_tui.kernel.mglru import is_on, read_mglru
from wlat_tui.kernel.node_vmstat import online_nodes
from wlat_tui.kernel.pressure import read_pressure
from wlat_tui.kernel.sysctl import read_sysctl
from wlat_tui.kernel.thp import read_thp, read_thp_defrag
from wlat_tui.kernel.zoneinfo import read_zoneinfo
from wlat_tui.units import format_bytes

RESERVE_PCT = 5.0
"""Above this share of memory min_free_kbytes starves the page cache, and raising it further can kill (vm.rst)."""
NO_LIMIT_BYTES = 1 << 60
"""cgroup v1 prints its "no limit" as the largest page-aligned long."""


def zones(subject: Subject) -> Finding:
    why = "Below low kswapd runs, below min a writer that needs a page reclaims memory itself before it may go on."
    table = read_zoneinfo(subject.root)
    if table is None or not table.zones:
        return Finding("zones", State.MISSING, "n/a: no /proc/zoneinfo here", why)
    populated = [zone for zone in table.zones if zone.managed != 0]
    short = [zone for zone in populated if zone.free < zone.low]
    if not short:
        return Finding("zones", State.OK, f"{len(populated)} zones, all above low", why)
    # one zone below low is normal when the node has others to give from; a node with nothing above low is short
    full = [node for node in {zone.node for zone in populated} if all(zone in short for zone in populated if zone.node == node)]
    here = "; ".join(f"node {zone.node} {zone.name} is {_below(zone)}" for zone in short)
    return Finding("zones", State.HAZARD if full else State.DEGRADED, here, why, "wlat topology")


def _below(zone: Zone) -> str:
    mark, pages = ("min", zone.min) if zone.free < zone.min else ("low", zone.low)
    return f"{pages - zone.free} pages below {mark}"


def min_free(subject: Subject) -> Finding:
    why = "It sets min, and with it how early kswapd starts; too little makes writers reclaim, too much starves the cache."
    text = read_sysctl("vm.min_free_kbytes", subject.root)
    total = (read_meminfo(subject.root) or {}).get("MemTotal")
    if text is None:
        return Finding("min_free_kbytes", State.MISSING, "n/a: this kernel does not tell", why)
    if not total:
        return Finding("min_free_kbytes", State.OK, f"{text} kB", why)
    percent = 100 * int(text) * 1024 / total
    scale = read_sysctl("vm.watermark_scale_factor", subject.root)
    here = f"{format_bytes(int(text) * 1024)}, {percent:.2g} % of memory; watermark_scale_factor {scale or 'n/a'}"
    if percent > RESERVE_PCT:
        fix = f"sudo sysctl vm.min_free_kbytes={total // 1024 // 100}"
        return Finding("min_free_kbytes", State.HAZARD, here, why, fix)
    return Finding("min_free_kbytes", State.OK, here, why)


def zone_reclaim(subject: Subject) -> Finding:
    why = "Not 0, the kernel reclaims from the local node, inside the write(), before it takes a free page from another node."
    text = read_sysctl("vm.zone_reclaim_mode", subject.root)
    if text is None:
        return Finding("zone_reclaim_mode", State.OK, "this kernel has no node reclaim", why)
    if text == "0":
        return Finding("zone_reclaim_mode", State.OK, "0: off", why)
    bits = [name for bit, name in ((1, "reclaim"), (2, "write dirty pages"), (4, "unmap and swap")) if int(text) & bit]
    return Finding("zone_reclaim_mode", State.HAZARD, f"{text}: {', '.join(bits)}", why, "sudo sysctl vm.zone_reclaim_mode=0")


def huge_pages(subject: Subject) -> Finding:
    why = "With defrag=always a page fault compacts memory on the spot, and compaction takes the locks that writers need."
    enabled, defrag = read_thp(subject.root), read_thp_defrag(subject.root)
    if enabled is None:
        return Finding("huge pages", State.OK, "transparent huge pages are not built", why)
    here = f"enabled={enabled}, defrag={defrag or 'n/a'}"
    if enabled == "always" and defrag == "always":
        fix = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/defrag"
        return Finding("huge pages", State.HAZARD, here, why, fix)
    return Finding("huge pages", State.OK, here, why)


def mglru(subject: Subject) -> Finding:
    why = "Under the multi-generational LRU zone_reclaim_mode 1 to 5 reclaims nothing and only costs time; 6 and 7 reclaim."
    text = read_mglru(subject.root)
    if text is None:
        return Finding("MGLRU", State.OK, "not built: the classic LRU", why)
    return Finding("MGLRU", State.OK, f"{'on' if is_on(text) else 'off'} ({text})", why)


def numa_balancing(subject: Subject) -> Finding:
    why = "It unmaps pages to see who touches them: faults and migrations in every task, the writer included."
    text = read_sysctl("kernel.numa_balancing", subject.root)
    if text is None or text == "0":
        return Finding("NUMA balancing", State.OK, "off" if text else "not built", why)
    if len(online_nodes(subject.root)) < 2:
        return Finding("NUMA balancing", State.OK, f"{text}, without effect on one node", why)
    return Finding("NUMA balancing", State.DEGRADED, f"on ({text})", why, "sudo sysctl kernel.numa_balancing=0")


def stat_interval(subject: Subject) -> Finding:
    why = "Free pages are counted per CPU and added up this often, so the watermark view is at most this old."
    text = read_sysctl("vm.stat_interval", subject.root)
    if text is None:
        return Finding("counter age", State.MISSING, "n/a: this kernel does not tell", why)
    if int(text) > 1:
        return Finding("counter age", State.DEGRADED, f"vm.stat_interval is {text} s", why, "sudo sysctl vm.stat_interval=1")
    return Finding("counter age", State.OK, f"vm.stat_interval is {text} s", why)


def swap(subject: Subject) -> Finding:
    why = "Reclaim that has to swap is slow; the writer's own memory is locked, that of its neighbours is not."
    rows = read_meminfo(subject.root) or {}
    total, free = rows.get("SwapTotal"), rows.get("SwapFree")
    if total is None or free is None:
        return Finding("swap", State.MISSING, "n/a: /proc/meminfo does not tell", why)
    if total == 0:
        return Finding("swap", State.OK, "none", why)
    swappiness = read_sysctl("vm.swappiness", subject.root) or "n/a"
    return Finding(
        "swap", State.OK, f"{format_bytes(total - free)} of {format_bytes(total)} used, swappiness {swappiness}", why
    )


def given_back(subject: Subject) -> Finding:
    why = "Memory that went back to the hypervisor is fetched when it is touched: a new page may take write() 0.1 to 1 ms."
    if not reports_free_pages(subject.root):
        return Finding("free memory", State.OK, "not known to go back to a hypervisor", why)
    return Finding(
        "free memory",
        State.DEGRADED,
        "goes back to the hypervisor (virtio_balloon, free page reporting)",
        why,
        "start the machine without free page reporting, its memory locked on the host; or wlat --prewarm write",
    )


def pressure(subject: Subject) -> Finding:
    why = "Pressure stall information says how much time tasks lose to memory and disk; wlat shows it beside the stalls."
    try:
        lines = read_pressure(subject.root)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        return Finding("pressure (PSI)", State.MISSING, "built in, switched off", why, "boot with psi=1")
    if lines is None:
        return Finding("pressure (PSI)", State.MISSING, "this kernel keeps none (CONFIG_PSI, since 4.20)", why)
    shown = [f"{line.resource} {line.avg60:g} %" for line in lines if line.kind == "some"]
    return Finding("pressure (PSI)", State.OK, f"some, last minute: {', '.join(shown)}", why)


def cgroup_memory(subject: Subject) -> Finding:
    why = "At its cgroup's limit a writer reclaims its own pages, however much the nodes have free."
    limits = [f"{file.name} {format_bytes(value)} in {file.parent.name or '/'}" for file, value in _limits(subject.root)]
    if not limits:
        return Finding("cgroup memory", State.OK, "no limit on this cgroup", why)
    return Finding("cgroup memory", State.DEGRADED, ", ".join(limits), why, "sudo systemd-run --scope --slice=-.slice wlat")


def _limits(root: Path) -> Iterator[tuple[Path, int]]:
    """Limits of our own cgroup and everything above it, v2 and v1."""
    for controllers, group in read_cgroups(root).items():
        if controllers == "":
            top, names = root / "sys/fs/cgroup", ["memory.max", "memory.high"]
        elif "memory" in controllers.split(","):
            top, names = root / "sys/fs/cgroup/memory", ["memory.limit_in_bytes"]
        else:
            continue
        here = top / group.lstrip("/")
        for place in (here, *(parent for parent in here.parents if parent.is_relative_to(top))):
            for name in names:
                text = read_line(place / name)
                if text is not None and text.isdecimal() and int(text) < NO_LIMIT_BYTES:
                    yield place / name, int(text)
