"""Hits of probes are paired by thread into who did what for how long; what this kernel lacks is said."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.tree import write
from tests.watch.test_names import CAT, SHELL, Records
from wlat_tui.watch.names import Names
from wlat_tui.watch.native import Hit
from wlat_tui.watch.probes import PRINTERS, Probes

DEVICE = {
    f"sys/bus/event_source/devices/kprobe/{name}": text for name, text in (("type", "6\n"), ("format/retprobe", "config:0\n"))
}


class Asked(Records):
    """Remembers which probes were asked for; refuses one function."""

    def __init__(self, refused: str = "") -> None:
        super().__init__()
        self.refused = refused
        self.probes: list[tuple[int, int, str]] = []

    def probe(
        self, kind: int, config: int, tag: int, *, name: str = "", filter: str | None = None, at_once: bool = False
    ) -> None:
        if name == self.refused:
            raise FileNotFoundError(2, "No such file or directory", name)
        assert tag == len(self.probes)
        self.probes.append((kind, config, name))


def some_probes(root: Path, asked: Asked) -> Probes:
    return Probes(asked, Names(asked, root))  # type: ignore[arg-type]


def test_printing_is_probed_at_its_begin_and_its_end(tmp_path: Path) -> None:
    asked = Asked()
    probes = some_probes(write(tmp_path, DEVICE), asked)
    assert probes.arm_printers(tmp_path).armed
    assert asked.probes[:4] == [(6, 0, "slab_start"), (6, 0, "slab_stop"), (6, 0, "zoneinfo_show"), (6, 1, "zoneinfo_show")]
    asked.born(CAT, SHELL, 5, exit_ns=9_000)
    hits = [
        Hit(1_000, CAT, CAT, 0),
        Hit(1_500, 7, 7, 0),
        Hit(2_000, CAT, CAT, 1),
        Hit(3_000, CAT, CAT, 2),
        Hit(3_400, CAT, CAT, 3),
    ]
    found = probes.take(hits, 9_000, "/data")
    assert [(d.what, d.by.comm, d.begin_ns, d.end_ns, d.spent_ns) for d in found] == [
        ("/proc/slabinfo", "cat", 1_000, 2_000, 1_000),
        ("/proc/zoneinfo", "cat", 3_000, 3_400, 400),
    ]
    (ended,) = probes.take([Hit(9_500, 7, 7, 1)], 9_600, "/data")
    assert (ended.begin_ns, ended.end_ns) == (1_500, 9_500)


def test_without_kernel_probes_or_without_the_function_it_says_so(tmp_path: Path) -> None:
    watch = some_probes(tmp_path, Asked()).arm_printers(tmp_path)
    assert (watch.armed, watch.why) == (False, "this kernel has no kernel probes (CONFIG_KPROBE_EVENTS)")
    probes = some_probes(tmp_path, Asked("frag_show"))
    watch = probes.arm_printers(write(tmp_path, DEVICE))
    assert (watch.armed, watch.why) == (True, "frag_show cannot be probed: No such file or directory")
    assert probes.printers == set(PRINTERS) - {"/proc/buddyinfo"}


def test_a_filesystem_without_a_known_tracepoint_is_said(tmp_path: Path) -> None:
    watch = some_probes(tmp_path, Asked()).arm_syncs("zfs", "0:40")
    assert (watch.armed, watch.why) == (False, "zfs has no tracepoint for it that wlat knows")


@given(st.lists(st.tuples(st.integers(0, 2 * len(PRINTERS) - 1), st.integers(1, 4), st.integers(0, 1_000)), max_size=60))
def test_whatever_is_hit_in_whatever_order_nothing_ends_before_it_began(raw: list[tuple[int, int, int]]) -> None:
    with TemporaryDirectory() as root:
        probes = some_probes(Path(root), Asked())
        probes.arm_printers(write(Path(root), DEVICE))
    hits = sorted((Hit(at, pid, pid, tag) for tag, pid, at in raw), key=lambda hit: hit.at_ns)
    found = probes.take(hits, 1_000, "/")
    assert all(d.begin_ns <= d.end_ns and d.spent_ns == d.end_ns - d.begin_ns for d in found)
    assert len(found) <= sum(hit.tag % 2 for hit in hits)
