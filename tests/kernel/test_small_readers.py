"""CPU lists, meminfo, vmstat, pressure, kswapd, CPUs, settings, host."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.tree import node_files, write
from wlat_tui.kernel import cpus, mglru, thp
from wlat_tui.kernel.balloon import reports_free_pages
from wlat_tui.kernel.cgroup import read_cgroups
from wlat_tui.kernel.clocksource import read_clocksource, read_clocksources
from wlat_tui.kernel.cpuinfo import read_cpu_model
from wlat_tui.kernel.cpulist import format_cpulist, parse_cpulist, parse_cpumap
from wlat_tui.kernel.files import KeptFile, read_text
from wlat_tui.kernel.host import read_host
from wlat_tui.kernel.kswapd import KswapdStat, find_kswapd_pids
from wlat_tui.kernel.meminfo import parse_meminfo
from wlat_tui.kernel.pressure import parse_pressure, read_pressure
from wlat_tui.kernel.process import TICK_NS, parse_stat, read_stat
from wlat_tui.kernel.sysctl import read_sysctl, watermark_knobs
from wlat_tui.kernel.vmstat import Vmstat, read_vmstat


@given(st.sets(st.integers(0, 5000)))
def test_a_list_of_cpus_survives_being_printed_and_parsed(numbers: set[int]) -> None:
    assert parse_cpulist(format_cpulist(numbers)) == tuple(sorted(numbers))


@given(st.sets(st.integers(0, 300)))
def test_a_map_of_cpus_means_the_same_as_a_list(numbers: set[int]) -> None:
    bits = f"{sum(1 << number for number in numbers):0320x}"
    words = ",".join(bits[at : at + 8] for at in range(0, len(bits), 8))
    assert parse_cpumap(words + "\n") == tuple(sorted(numbers))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", ()),
        ("\n", ()),
        ("0-3\n\0", (0, 1, 2, 3)),
        ("0-2,33-34,45", (0, 1, 2, 33, 34, 45)),
        ("0-9:1/5", (0, 5)),
        (" 1 , 0 ", (0, 1)),
    ],
)
def test_lists_as_the_kernel_prints_and_accepts_them(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_cpulist(text) == numbers


@pytest.mark.parametrize("text", ["a", "3-1", "0-", "-1", "0-3:2", "0-3:0/0", "99999999999", "1;2"])
def test_what_is_not_a_list_is_refused_in_one_sentence_that_quotes_it(text: str) -> None:
    with pytest.raises(ValueError, match="is not a list") as refusal:
        parse_cpulist(text)
    assert text in str(refusal.value)


@given(st.text(max_size=30))
def test_any_text_is_a_list_or_a_value_error(text: str) -> None:
    try:
        numbers = parse_cpulist(text)
    except ValueError:
        return
    assert numbers == tuple(sorted(set(numbers)))


def test_a_nodes_meminfo_reads_like_the_machines() -> None:
    node = parse_meminfo(
        "Node 1 MemUsed:   18446744073709443592 kB\nNode 1 Active(anon):  3 kB\nNode 1 HugePages_Total:     4294967283\n"
    )
    assert node == {"MemUsed": 18446744073709443592 * 1024, "Active(anon)": 3072, "HugePages_Total": 4294967283}
    assert parse_meminfo("MemTotal:  2 kB\n\nodd line\n") == {"MemTotal": 2048}


def test_vmstat_keeps_huge_values_and_follows_the_file(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/vmstat": f"nr_free_pages 5\nnr_unstable {2**64 - 8}"})
    assert read_vmstat(root) == {"nr_free_pages": 5, "nr_unstable": 2**64 - 8}
    with Vmstat(root) as kept:
        assert kept.rows()["nr_free_pages"] == 5
        write(root, {"proc/vmstat": "nr_free_pages 6\n"})
        assert kept.rows() == {"nr_free_pages": 6}
    assert read_vmstat(tmp_path / "nowhere") is None


def test_a_kept_file_reads_more_than_one_chunk(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * 200_000)
    with KeptFile(tmp_path / "big") as kept:
        assert len(kept.read()) == 200_000
    with pytest.raises(ValueError, match="closed"):
        kept.read()


def test_pressure_lines_that_a_kernel_lacks_are_just_not_there(tmp_path: Path) -> None:
    some = "some avg10=1.50 avg60=0.00 avg300=0.25 total=12345\n"
    full = some.replace("some", "full")
    assert read_pressure(tmp_path) is None
    lines = read_pressure(write(tmp_path, {"proc/pressure/cpu": some, "proc/pressure/irq": full}))
    assert lines is not None
    assert [(line.resource, line.kind, line.avg10, line.total_us) for line in lines] == [
        ("cpu", "some", 1.5, 12345),
        ("irq", "full", 1.5, 12345),
    ]
    assert parse_pressure("some avg10=1 total=\n", "cpu") == ()


def _stat(pid: int, name: str, ticks: int, state: str = "S") -> str:
    return f"{pid} ({name}) {state} 2 0 0 0 -1 69238880 0 0 0 0 {ticks} {ticks} 0 0 20 0 1 0 27 0 0\n"


def _kswapds(root: Path, pids: dict[int, int]) -> Path:
    write(root, {"proc/2/comm": "kthreadd\n", "proc/9/comm": "kworker/0:1\n"})
    for node, pid in pids.items():
        write(root, {f"proc/{pid}/comm": f"kswapd{node}\n", f"proc/{pid}/stat": _stat(pid, f"kswapd{node}", 7)})
    return root


def test_reclaim_threads_are_found_by_name_and_read(tmp_path: Path) -> None:
    reader = KswapdStat(_kswapds(tmp_path, {0: 45, 12: 46}))
    threads = reader.read(frozenset({0, 12}))
    assert threads is not None
    assert {node: (thread.pid, thread.state, thread.cpu_ns) for node, thread in threads.items()} == {
        0: (45, "S", 14 * TICK_NS),
        12: (46, "S", 14 * TICK_NS),
    }
    reader.close()


def test_a_node_that_comes_later_gets_its_thread_found(tmp_path: Path) -> None:
    reader = KswapdStat(_kswapds(tmp_path, {0: 45}))
    assert reader.read(frozenset({0})) is not None
    _kswapds(tmp_path, {1: 4711})
    threads = reader.read(frozenset({0, 1}))
    assert threads is not None
    assert threads[1].pid == 4711
    reader.close()


def test_in_a_container_no_reclaim_thread_is_seen_and_none_is_made_up(tmp_path: Path) -> None:
    write(tmp_path, {"proc/2/comm": "bash\n", "proc/45/comm": "kswapd0\n", "proc/45/stat": _stat(45, "kswapd0", 7)})
    assert find_kswapd_pids(frozenset({0}), tmp_path) == {}
    assert KswapdStat(tmp_path).read(frozenset({0})) is None


def test_a_process_may_be_called_anything() -> None:
    stat = parse_stat(_stat(7, "a) R 1 (b", 3))
    assert (stat.pid, stat.name, stat.state, stat.parent, stat.cpu_ns) == (7, "a) R 1 (b", "S", 2, 6 * TICK_NS)
    with pytest.raises(ValueError, match="not a line"):
        parse_stat("garbage")


def test_my_own_process_can_be_read() -> None:
    stat = read_stat("self")
    assert stat is not None
    assert stat.pid == os.getpid()
    assert read_stat(2**22 + 1) is None


def test_cpus_governors_and_idle_states(tmp_path: Path) -> None:
    here = "sys/devices/system/cpu"
    root = write(
        tmp_path,
        {
            f"{here}/online": "0-1\n",
            f"{here}/isolated": "\n",
            f"{here}/nohz_full": "  (null)\n",
            f"{here}/cpu1/cpufreq/scaling_governor": "powersave\n",
            f"{here}/cpu0/cpuidle/state0/name": "POLL\n",
            f"{here}/cpu0/cpuidle/state0/latency": "0\n",
            f"{here}/cpu0/cpuidle/state1/name": "C6\n",
            f"{here}/cpu0/cpuidle/state1/latency": "133\n",
            f"{here}/cpu0/cpuidle/state1/disable": "1\n",
        },
    )
    assert (cpus.read_online_cpus(root), cpus.read_isolated_cpus(root), cpus.read_nohz_full_cpus(root)) == ((0, 1), (), None)
    assert cpus.read_governors(root) == {1: "powersave"}
    assert [(state.name, state.latency_us, state.disabled) for state in cpus.read_idle_states(0, root)] == [
        ("POLL", 0, False),
        ("C6", 133, True),
    ]
    assert cpus.read_online_cpus(tmp_path / "nowhere") is None


def test_settings_are_text_or_none_and_their_change_is_seen(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/sys/vm/min_free_kbytes": "67584\n", "proc/sys/vm/lowmem_reserve_ratio": "256\t256\t32\n"})
    assert read_sysctl("vm.min_free_kbytes", root) == "67584"
    before = watermark_knobs(root)
    assert before == ("67584", None, "256\t256\t32")
    write(root, {"proc/sys/vm/min_free_kbytes": "90000\n"})
    assert watermark_knobs(root) != before


def test_the_state_of_huge_pages_and_of_the_lru(tmp_path: Path) -> None:
    assert (thp.read_thp(tmp_path), thp.read_thp_defrag(tmp_path), mglru.read_mglru(tmp_path)) == (None, None, None)
    write(
        tmp_path,
        {"sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n", "sys/kernel/mm/lru_gen/enabled": "0x0007\n"},
    )
    assert (thp.read_thp(tmp_path), mglru.read_mglru(tmp_path)) == ("madvise", "0x0007")
    assert [mglru.is_on(text) for text in (None, "0x0007", "0x0000", "0x0006", "y", "n")] == [
        None,
        True,
        False,
        False,
        True,
        False,
    ]


def test_groups_are_read_with_any_name(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/self/cgroup": "4:cpu,cpuacct:/a:b\x1ec\n1:name=systemd:/x\n0::/user.slice\n"})
    assert read_cgroups(root) == {"cpu,cpuacct": "/a:b\x1ec", "name=systemd": "/x", "": "/user.slice"}
    assert read_cgroups(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("processor\t: 0\nmodel\t\t: 167\nmodel name\t: Xeon(R) E-2300\n\nprocessor\t: 1\nmodel name\t: x\n", "Xeon(R) E-2300"),
        ("processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t: 3.8GHz\n", "POWER9, altivec supported"),
        ("processor\t: 0\nBogoMIPS\t: 50.00\nCPU implementer\t: 0x41\n", None),
        ("", None),
    ],
)
def test_the_model_of_the_cpu(tmp_path: Path, text: str, model: str | None) -> None:
    assert read_cpu_model(write(tmp_path, {"proc/cpuinfo": text})) == model
    assert read_cpu_model(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("features", "given_back"),
    [("01100101" + 56 * "0", True), ("01100001" + 56 * "0", False), ("0", False), ("", False)],
)
def test_whether_free_memory_goes_back_to_the_hypervisor(tmp_path: Path, features: str, given_back: bool) -> None:
    assert not reports_free_pages(tmp_path)
    write(tmp_path, {"sys/bus/virtio/drivers/virtio_balloon/virtio0/features": f"{features}\n"})
    assert reports_free_pages(tmp_path) is given_back


def test_the_clock_source(tmp_path: Path) -> None:
    assert (read_clocksource(tmp_path), read_clocksources(tmp_path)) == (None, ())
    here = "sys/devices/system/clocksource/clocksource0"
    write(tmp_path, {f"{here}/current_clocksource": "hpet\n", f"{here}/available_clocksource": "tsc hpet \n"})
    assert (read_clocksource(tmp_path), read_clocksources(tmp_path)) == ("hpet", ("tsc", "hpet"))


def test_a_host_is_read_from_its_tree_and_not_from_this_machine(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            **node_files(0, cpus="0-1", distance=(10,)),
            "proc/sys/kernel/hostname": "elsewhere\n",
            "proc/sys/kernel/osrelease": "4.18.0-80.el8\n",
            "sys/devices/system/cpu/online": "0-1\n",
        },
    )
    host = read_host(None, "user", root)
    assert (host.hostname, host.kernel, host.cpus_online, host.target, host.mglru) == (
        "elsewhere",
        "4.18.0-80.el8",
        (0, 1),
        None,
        None,
    )
    assert [node.node for node in host.nodes] == [0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_error_with_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"proc/vmstat": "x 1\n"})
    (tmp_path / "proc/vmstat").chmod(0)
    with pytest.raises(PermissionError, match="vmstat"):
        read_vmstat(tmp_path)


def test_a_process_that_ends_between_listing_and_reading_is_just_gone(tmp_path: Path) -> None:
    root = _kswapds(tmp_path, {0: 45})
    shutil.rmtree(root / "proc/45")
    assert read_text(root / "proc/45/stat") is None
    assert find_kswapd_pids(frozenset({0}), root) == {}
