"""The made-up host of the scripted source: nodes whose free pages obey pressure, watermarks and knobs. Nothing is real."""

from __future__ import annotations

from random import Random

from wlat_tui.frame import Host, KnobState, Kswapd, NodeSample, NodeShape, Pressure, Settings, Target, Zone

PAGE_BYTES = 4096
CPUS_PER_NODE = 12
DMA_MANAGED, DMA32_MANAGED, NORMAL_MANAGED = 3_840, 742_000, 7_990_000
READER_PAGES_PER_S = 90_000
DROP_PAGES = 1_300_000

KNOBS = {
    "zone_reclaim_mode": "0",
    "min_free_kbytes": "90112",
    "watermark_scale_factor": "10",
    "thp": "madvise",
    "thp_defrag": "madvise",
    "compaction_proactiveness": "20",
    "swappiness": "60",
    "dirty_background": "ratio 10",
    "dirty_limit": "ratio 20",
    "stat_interval": "1",
    "function_listing": "off",
}
"""Settings of the made-up host, under the names the keeper's knobs have."""


class ScriptedHost:
    """Free pages of every node, moved on tick by tick."""

    def __init__(self, seed: int, nodes: int, *, pressed: bool, start_low: bool, privileged: bool) -> None:
        self._random = Random(seed + 1)
        self.nodes = nodes
        self.memoryless = 5 if nodes > 8 else None
        """A node without memory, so that large hosts show one."""
        self.pressed_node = min(1, nodes - 1)
        self.pressed = pressed
        self.start_low = start_low
        self.privileged = privileged
        self.knobs = dict(KNOBS)
        self.originals: dict[str, str] = {}
        self._kswapd_ns = [0] * nodes
        self._reclaiming = False
        self._events = {
            "pgscan_kswapd": 0,
            "pgsteal_kswapd": 0,
            "pgscan_direct": 0,
            "pgsteal_direct": 0,
            "allocstall_normal": 0,
        }
        self._events |= {"zone_reclaim_success": 0, "zone_reclaim_failed": 0, "compact_stall": 0}
        self._numa = [
            {"numa_hit": 0, "numa_miss": 0, "numa_foreign": 0, "numa_local": 0, "numa_other": 0} for _ in range(nodes)
        ]
        self._free = [self._calm_pages(node) for node in range(nodes)]
        if start_low:
            self._free[self.pressed_node] = self._marks(self.pressed_node)["min"] // 2

    @property
    def reclaim_mode(self) -> int:
        return int(self.knobs["zone_reclaim_mode"])

    @property
    def under_pressure(self) -> bool:
        """Whether page allocation on the pressed node meets its low watermark."""
        marks = self._marks(self.pressed_node)
        return self.pressed and self._free[self.pressed_node] < 2 * marks["high"] - marks["low"]

    def advance(self, seconds: float) -> None:
        """Move every node on: the reader fills the pressed node, kswapd gives back, the neighbour takes what spills over."""
        draw = self._random
        for node in range(self.nodes):
            if node == self.memoryless:
                continue
            self._numa[node]["numa_hit"] += round(9_000 * seconds)
            self._numa[node]["numa_local"] += round(9_000 * seconds)
            if node != self.pressed_node:
                self._free[node] += draw.randint(-300, 300)
        if self.pressed or self.start_low:
            self._press(self.pressed_node, seconds)
        else:
            self._free[self.pressed_node] += draw.randint(-300, 300)

    def _press(self, node: int, seconds: float) -> None:
        marks, draw = self._marks(node), self._random
        taken = round(READER_PAGES_PER_S * seconds)
        if self.start_low:
            self._free[node] = max(200, marks["min"] // 2 + draw.randint(-800, 800))
            self._reclaiming = True
        elif self._free[node] - taken > marks["low"]:
            self._free[node] -= taken if not self._reclaiming else -taken // 12
            self._reclaiming = self._reclaiming and self._free[node] < marks["high"]
        else:
            self._free[node] = marks["low"] - draw.randint(-500, 600)
            self._reclaiming = True
            self._spill(node, taken)
        if self._reclaiming:
            self._kswapd_ns[node] += round(0.35e9 * seconds)
            self._events["pgscan_kswapd"] += taken
            self._events["pgsteal_kswapd"] += taken * 9 // 10

    def _spill(self, node: int, taken: int) -> None:
        """Where pages come from once the node is at low: the neighbour, or its own reclaim with the mode's bit 0."""
        other = 0 if node else None
        if self.reclaim_mode & 1:
            self._events["zone_reclaim_success"] += 40
            self._events["zone_reclaim_failed"] += 3
            return
        self._events["pgscan_direct"] += 900
        self._events["pgsteal_direct"] += 700
        self._events["allocstall_normal"] += 3
        if other is not None and self._free[other] > 600_000:
            self._free[other] -= taken // 2
            self._numa[node]["numa_foreign"] += taken // 2
            self._numa[other]["numa_miss"] += taken // 2
            self._numa[other]["numa_other"] += taken // 2

    def drop_caches(self) -> None:
        """Clean page cache of every node becomes free."""
        for node in range(self.nodes):
            if node != self.memoryless:
                self._free[node] = max(self._free[node], min(self._calm_pages(node), self._free[node] + DROP_PAGES))
        self._reclaiming = False

    def _calm_pages(self, node: int) -> int:
        if node == self.memoryless:
            return 0
        return 2_600_000 - 7_919 * (node % 13) if node != self.pressed_node else 1_150_000

    def _managed(self, node: int) -> int:
        return 0 if node == self.memoryless else NORMAL_MANAGED

    def _marks(self, node: int, managed: int | None = None) -> dict[str, int]:
        """min/low/high/promo of a zone as __setup_per_zone_wmarks works them out (mm/page_alloc.c)."""
        managed = self._managed(node) if managed is None else managed
        total = (self.nodes - (self.memoryless is not None)) * NORMAL_MANAGED + DMA_MANAGED + DMA32_MANAGED
        minimum = int(self.knobs["min_free_kbytes"]) // (PAGE_BYTES // 1024) * managed // total
        step = max(minimum // 4, managed * int(self.knobs["watermark_scale_factor"]) // 10_000)
        return {"min": minimum, "low": minimum + step, "high": minimum + 2 * step, "promo": minimum + 3 * step}

    def zones(self) -> tuple[Zone, ...]:
        """What zoneinfo would print: node 0 with DMA, DMA32 and Normal, others with Normal; Movable empty."""
        zones = []
        for node in range(self.nodes):
            free, start = self._free[node], 0x100000 + node * NORMAL_MANAGED
            if node == 0:
                low = (DMA_MANAGED, DMA32_MANAGED // 3)
                free -= sum(low)
                zones.append(self._zone(node, "DMA", low[0], DMA_MANAGED, (0, 2_898, 34_109, 34_109, 34_109), 1))
                zones.append(self._zone(node, "DMA32", low[1], DMA32_MANAGED, (0, 0, 31_211, 31_211, 31_211), 4096))
            managed = self._managed(node)
            zones.append(self._zone(node, "Normal", max(0, free), managed, (0, 0, 0, 0, 0), start))
            zones.append(self._zone(node, "Movable", 0, 0, (0, 0, 0, 0, 0), 0))
        return tuple(zones)

    def _zone(self, node: int, name: str, free: int, managed: int, protection: tuple[int, ...], start_pfn: int) -> Zone:
        marks = self._marks(node, managed)
        return Zone(
            node=node,
            name=name,
            free=free,
            min=marks["min"],
            low=marks["low"],
            high=marks["high"],
            managed=managed,
            present=managed + managed // 50,
            spanned=managed + managed // 50,
            boost=0,
            promo=marks["promo"],
            protection=protection,
            start_pfn=start_pfn,
            rows={"nr_free_pages": free},
            drift_pages=self.nodes * CPUS_PER_NODE * 125 if managed else 0,
        )

    def samples(self) -> tuple[NodeSample, ...]:
        """What each node's vmstat would print, and its kswapd."""
        samples = []
        for node in range(self.nodes):
            free = self._free[node]
            used = max(0, self._managed(node) - free)
            busy = node == self.pressed_node and self._reclaiming
            rows = {
                "nr_free_pages": free,
                "nr_file_pages": used * 6 // 10,
                "nr_anon_pages": used * 3 // 10,
                "nr_slab_reclaimable": used // 20,
                "nr_slab_unreclaimable": used // 40,
                "nr_dirty": 2_300 if self._managed(node) else 0,
                "nr_writeback": 120 if busy else 0,
                **self._numa[node],
            }
            kswapd = Kswapd(90 + node, "R" if busy else "S", self._kswapd_ns[node]) if self._managed(node) else None
            samples.append(NodeSample(node, rows, kswapd))
        return tuple(samples)

    def vmstat(self) -> dict[str, int]:
        """What /proc/vmstat would print."""
        samples = self.samples()
        names = ("nr_free_pages", "nr_file_pages", "nr_dirty", "nr_writeback", "numa_hit", "numa_miss", "numa_foreign")
        limits = {"nr_dirty_threshold": 1_600_000, "nr_dirty_background_threshold": 800_000}
        return {name: sum(sample.rows[name] for sample in samples) for name in names} | limits | self._events

    def pressure(self) -> tuple[Pressure, ...] | None:
        """PSI of memory and io; None on the degraded host, which is booted without it."""
        if not self.privileged:
            return None
        memory = 4.2 if self.under_pressure else 0.0
        stall_us = self._events["pgscan_direct"] * 3
        return (
            Pressure("memory", "some", memory, memory / 2, memory / 4, stall_us),
            Pressure("memory", "full", memory / 3, memory / 6, memory / 12, stall_us // 3),
            Pressure("io", "some", 1.1, 0.9, 0.8, 1_000_000),
            Pressure("io", "full", 0.4, 0.3, 0.3, 400_000),
        )

    def knob_states(self) -> dict[str, KnobState]:
        """Every knob as it stands."""
        why = None if self.privileged else "changing it needs root"
        fix = None if self.privileged else "sudo wlat --demo"
        states = {name: KnobState(value, self.originals.get(name), why, fix) for name, value in self.knobs.items()}
        return states | {"drop_caches": KnobState(None, None, why, fix)}

    def host(self) -> Host:
        """The machine as it would introduce itself."""
        return Host(
            hostname="demo",
            kernel="6.12.0-demo",
            page_bytes=PAGE_BYTES,
            cpus_online=tuple(range(self.nodes * CPUS_PER_NODE)),
            nodes=tuple(self._shape(node) for node in range(self.nodes)),
            target=Target("/srv/log", "/srv", "ext4", "/dev/nvme0n1p2", "rw,relatime", stable_writes=False, rotational=False),
            clocksource="tsc",
            mglru="0x0000" if self.privileged else None,
            privilege="root" if self.privileged else "user",
            cpu="Scripted CPU",
        )

    def _shape(self, node: int) -> NodeShape:
        cpus = tuple(range(node * CPUS_PER_NODE, (node + 1) * CPUS_PER_NODE))
        distances = {other: 10 if other == node else 21 for other in range(self.nodes)}
        managed = self._managed(node)
        return NodeShape(node, cpus, distances, managed * PAGE_BYTES, has_memory=managed > 0)

    def place(self, settings: Settings) -> tuple[int, int]:
        """(CPU, node) the writer runs on: the first it is pinned to, else one of the pressed node."""
        cpu = settings.cpus[0] if settings.cpus else self.pressed_node * CPUS_PER_NODE + 2
        return cpu, min(cpu // CPUS_PER_NODE, self.nodes - 1)
