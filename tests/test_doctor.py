from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.tree import node_files, write
from wlat_tui.bench.zoneinfo_generator import FakeNode, FakeZone, zoneinfo_text
from wlat_tui.commands.doctor import doctor, report_lines, timing_lines
from wlat_tui.doctor import CHECKS, examine
from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.doctor.observer import HELD_PAUSE_S, HELD_READS, Observed, measure, observed_files, percentile

SYSCTL = "proc/sys"
THP = "sys/kernel/mm/transparent_hugepage"
CPU = "sys/devices/system/cpu"
MOUNT = """22 1 252:1 / / rw,relatime - ext4 /dev/vda1 rw
31 22 0:31 / /tmp rw - tmpfs tmpfs rw
32 22 0:32 / /raid rw,sync - xfs /dev/sdb rw
"""
CLOCK = "sys/devices/system/clocksource/clocksource0/current_clocksource"
PARANOID = "proc/sys/kernel/perf_event_paranoid"


def _find(root: Path, name: str, directory: str = "/home") -> Finding:
    (finding,) = [finding for finding in examine(Subject(Path(directory), root)) if finding.name == name]
    return finding


def _process(pid: int, *words: str) -> dict[str, str]:
    return {f"proc/{pid}/comm": f"{Path(words[0]).name[:15]}\n", f"proc/{pid}/cmdline": "\0".join(words) + "\0"}


def _zones(*free: int) -> dict[str, str]:
    zones = tuple(FakeZone(name, pages, 100, 4000) for name, pages in zip(("DMA", "Normal"), free, strict=False))
    return {"proc/zoneinfo": zoneinfo_text([FakeNode(0, (*zones, FakeZone("Movable", min_pages=32)))], [0])}


CASES: list[tuple[str, dict[str, str], State, str]] = [
    ("perf events", {PARANOID: "3\n"}, State.DEGRADED, "3"),
    ("perf events", {PARANOID: "-1\n"}, State.OK, "-1"),
    (
        "perf events",
        {PARANOID: "4\n", "proc/self/status": "CapEff:\t0000004000000000\n"},
        State.OK,
        "4",
    ),
    ("perf events", {}, State.MISSING, "no perf"),
    ("free memory", {}, State.OK, "not known"),
    (
        "free memory",
        {"sys/bus/virtio/drivers/virtio_balloon/virtio0/features": f"000001{58 * '0'}\n"},
        State.DEGRADED,
        "goes back",
    ),
    ("capabilities", {"proc/self/status": "CapEff:\t0000000000800000\n"}, State.DEGRADED, "PERFMON"),
    ("capabilities", {"proc/self/status": "CapEff:\t000001ffffffffff\n"}, State.OK, "SYS_NICE"),
    ("lockdown", {"sys/kernel/security/lockdown": "none integrity [confidentiality]\n"}, State.DEGRADED, "confidentiality"),
    ("lockdown", {"sys/kernel/security/lockdown": "none [integrity] confidentiality\n"}, State.OK, "integrity"),
    ("tracefs", {}, State.MISSING, "not mounted"),
    ("tracefs", {"sys/kernel/tracing/events/sched/enable": "0\n"}, State.OK, "/sys/kernel/tracing"),
    (
        "RT throttling",
        {f"{SYSCTL}/kernel/sched_rt_runtime_us": "-1\n", f"{SYSCTL}/kernel/sched_rt_period_us": "1000000\n"},
        State.HAZARD,
        "off",
    ),
    ("clock source", {CLOCK: "hpet\n"}, State.DEGRADED, "hpet"),
    (
        "clock source",
        {CLOCK: "arch_sys_counter\n"},
        State.OK,
        "arch",
    ),
    (
        "idle states",
        {f"{CPU}/online": "0\n", f"{CPU}/cpu0/cpuidle/state0/name": "C6\n", f"{CPU}/cpu0/cpuidle/state0/latency": "133\n"},
        State.DEGRADED,
        "C6 takes 133 us",
    ),
    (
        "governor",
        {f"{CPU}/online": "0-1\n", **{f"{CPU}/cpu{cpu}/cpufreq/scaling_governor": "powersave\n" for cpu in (0, 1)}},
        State.DEGRADED,
        "powersave on 2 CPUs",
    ),
    ("isolated CPUs", {f"{CPU}/isolated": "2-3\n"}, State.OK, "isolated 2-3"),
    ("wlat's threads", {f"{CPU}/online": "0\n"}, State.DEGRADED, "share the only CPU with the writer"),
    ("wlat's threads", {f"{CPU}/online": "0-3\n"}, State.OK, "keep off the writer's CPU, 3 others are there"),
    ("steal", {"proc/stat": "cpu 50 0 0 40 0 0 0 10 50 0\n"}, State.HAZARD, "10 %"),
    ("steal", {"proc/stat": "cpu 50 0 0 50 0 0 0 0 50 0\n"}, State.OK, "0 %"),
    ("zones", _zones(200, 300), State.OK, "2 zones, all above low"),
    ("zones", _zones(90, 300), State.DEGRADED, "DMA is 10 pages below min"),
    ("zones", _zones(110, 120), State.HAZARD, "Normal is 5 pages below low"),
    ("zones", {}, State.MISSING, "n/a"),
    ("min_free_kbytes", {f"{SYSCTL}/vm/min_free_kbytes": "90\n", "proc/meminfo": "MemTotal: 1000 kB\n"}, State.HAZARD, "9 %"),
    ("min_free_kbytes", {f"{SYSCTL}/vm/min_free_kbytes": "5\n", "proc/meminfo": "MemTotal: 1000 kB\n"}, State.OK, "0.5 %"),
    ("zone_reclaim_mode", {f"{SYSCTL}/vm/zone_reclaim_mode": "5\n"}, State.HAZARD, "5: reclaim, unmap and swap"),
    ("zone_reclaim_mode", {}, State.OK, "no node reclaim"),
    (
        "huge pages",
        {f"{THP}/enabled": "[always] never\n", f"{THP}/defrag": "[always] never\n"},
        State.HAZARD,
        "always",
    ),
    ("huge pages", {f"{THP}/enabled": "[always] madvise never\n", f"{THP}/defrag": "always [madvise]\n"}, State.OK, "madvise"),
    ("MGLRU", {"sys/kernel/mm/lru_gen/enabled": "0x0007\n"}, State.OK, "on (0x0007)"),
    ("NUMA balancing", {f"{SYSCTL}/kernel/numa_balancing": "1\n", **node_files(0)}, State.OK, "without effect"),
    ("NUMA balancing", {f"{SYSCTL}/kernel/numa_balancing": "1\n", **node_files(0), **node_files(1)}, State.DEGRADED, "on (1)"),
    ("counter age", {f"{SYSCTL}/vm/stat_interval": "10\n"}, State.DEGRADED, "10 s"),
    ("swap", {"proc/meminfo": "SwapTotal: 2048 kB\nSwapFree: 1024 kB\n"}, State.OK, "1.00M of 2.00M used"),
    ("pressure (PSI)", {}, State.MISSING, "keeps none"),
    (
        "cgroup memory",
        {"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1048576\n", "sys/fs/cgroup/a/b/memory.max": "max\n"},
        State.DEGRADED,
        "memory.max 1.00M in a",
    ),
    (
        "cgroup memory",
        {"proc/self/cgroup": "5:memory:/x\n0::/\n", "sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712\n"},
        State.OK,
        "no limit",
    ),
    (
        "stable writes",
        {"proc/self/mountinfo": MOUNT, "sys/class/block/vda1/queue/stable_writes": "1\n"},
        State.DEGRADED,
        "vda1",
    ),
    ("target", {"proc/self/mountinfo": MOUNT}, State.OK, "ext4 on /dev/vda1"),
    ("slabinfo readers", _process(70, "/usr/bin/below", "record"), State.HAZARD, "below (pid 70)"),
    ("slabinfo readers", _process(70, "vmstat", "-m", "1"), State.HAZARD, "vmstat (pid 70)"),
    ("slabinfo readers", _process(70, "vmstat", "1"), State.OK, "none"),
    ("slabinfo readers", _process(70, "node_exporter", "--collector.slabinfo"), State.HAZARD, "node_exporter"),
    ("slabinfo readers", _process(70, "prometheus-node-exporter", "--collector.zoneinfo"), State.OK, "none"),
    ("slabinfo readers", _process(70, "pmlogger", "-N"), State.DEGRADED, "pmlogger"),
    ("slabinfo readers", _process(70, "collectl", "-D"), State.DEGRADED, "slabs once a minute"),
    ("slabinfo readers", _process(70, "telegraf"), State.DEGRADED, "inputs.slab"),
    ("suspects", {}, State.OK, "not tried"),
]


@pytest.mark.parametrize(("name", "files", "state", "words"), CASES, ids=[f"{case[0]}: {case[3]}" for case in CASES])
def test_a_check_says_how_a_host_stands(tmp_path: Path, name: str, files: dict[str, str], state: State, words: str) -> None:
    (tmp_path / "proc").mkdir()
    finding = _find(write(tmp_path, files), name)
    assert finding.state is state
    assert words in finding.here


@pytest.mark.parametrize(
    ("directory", "name", "state"), [("/tmp/x", "target", State.MISSING), ("/raid", "mount options", State.HAZARD)]
)
def test_a_target_that_is_no_disk_or_is_synchronous_is_told(tmp_path: Path, directory: str, name: str, state: State) -> None:
    write(tmp_path, {"proc/self/mountinfo": MOUNT})
    assert _find(tmp_path, name, directory).state is state


def test_every_hazard_comes_with_a_reason_and_something_to_type(tmp_path: Path) -> None:
    for name, files, state, words in CASES:
        if state is State.HAZARD:
            root = tmp_path / f"{name}{words}".replace("/", "_")
            (root / "proc").mkdir(parents=True)
            finding = _find(write(root, files), name)
            assert finding.why.endswith(".")
            assert finding.fix


def test_a_host_that_tells_nothing_gets_a_whole_report(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    findings = examine(Subject(Path("/"), tmp_path))
    assert len(findings) == len(CHECKS) == len({finding.name for finding in findings})


def test_a_file_that_may_not_be_read_is_a_finding_and_not_a_crash(tmp_path: Path) -> None:
    write(tmp_path, {"proc/version": ""})
    (tmp_path / "proc/zoneinfo").mkdir()  # reading a directory fails for root too
    finding = _find(tmp_path, "zones")
    assert finding.state is State.MISSING
    assert "zoneinfo cannot be read: Is a directory" in finding.here


def _run(*flags: str, **environment: str) -> Result:
    return CliRunner().invoke(doctor, list(flags), env=environment, catch_exceptions=False)


def test_the_report_on_this_host_fits_eighty_columns_apart_from_commands_to_copy() -> None:
    result = _run("-v")
    assert result.exit_code == 0
    assert all(len(line) <= 80 for line in result.output.splitlines() if not line.strip().startswith("fix"))
    assert "\x1b" not in result.output


def test_the_same_findings_are_in_the_json() -> None:
    result = _run("--json")
    assert [finding["name"] for finding in json.loads(result.output)["findings"]] == list(CHECKS)


def test_colour_is_only_for_terminals_that_want_it() -> None:
    assert "\x1b[3" in CliRunner().invoke(doctor, [], color=True, env={"NO_COLOR": ""}).output
    assert "\x1b" not in CliRunner().invoke(doctor, [], color=True, env={"NO_COLOR": "1"}).output


def test_a_directory_that_is_not_there_is_one_sentence_and_exit_two() -> None:
    result = _run("--dir", "/nowhere/at/all")
    assert result.exit_code == 2
    assert "/nowhere/at/all is not a directory" in result.output


WORDS = st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=90)


FINDINGS = st.builds(Finding, WORDS.map(lambda text: text[:18]), st.sampled_from(State), WORDS, WORDS, st.none() | WORDS)


@given(st.lists(FINDINGS), st.booleans())
def test_any_findings_can_be_printed(findings: list[Finding], verbose: bool) -> None:
    lines = list(report_lines(tuple(findings), verbose))
    assert sum(int(part.split()[0]) for part in lines[-1].split(", ")) == len(findings)


@given(st.lists(st.floats(0, 1e9), min_size=1), st.integers(1, 100))
def test_a_percentile_is_one_of_the_values_with_enough_of_them_below(values: list[float], percent: int) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values)


def test_reading_what_holds_a_lock_is_spread_out_and_rare(tmp_path: Path) -> None:
    write(tmp_path, {"proc/zoneinfo": "Node 0, zone DMA\n", "proc/vmstat": "x 1\n"})
    pauses: list[float] = []
    held, free = (Observed(tmp_path / "proc" / name, 1.0, True, "") for name in ("zoneinfo", "vmstat"))
    assert measure(held, pauses.append).reads == HELD_READS
    assert pauses == [HELD_PAUSE_S] * 2 * HELD_READS
    pauses.clear()
    assert measure(free, pauses.append).us_per_s is not None
    assert not pauses


def test_a_file_that_cannot_be_read_is_na_in_the_table(tmp_path: Path) -> None:
    timing = measure(Observed(tmp_path, 1.0, False, ""))
    assert timing.kept_p50_us is timing.us_per_s is None
    assert any("n/a: Is a directory" in line for line in timing_lines([timing]))


def test_the_observer_names_only_files_that_are_there_and_none_that_hurt() -> None:
    names = {str(item.path) for item in observed_files()}
    assert "/proc/vmstat" in names
    assert all(os.path.exists(name) for name in names)
    assert not any(word in name for name in names for word in ("slabinfo", "pagetypeinfo", "stat_refresh"))


def test_the_observer_measures_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wlat_tui.doctor.observer.READS", 20)
    monkeypatch.setattr("wlat_tui.doctor.observer.HELD_READS", 3)
    files = json.loads(_run("--observer", "--json").output)["observer"]
    assert {item["path"] for item in files} == {str(item.path) for item in observed_files()}
    assert all(item["error"] or item["kept_p99_us"] >= item["kept_p50_us"] > 0 for item in files)
    table = _run("--observer").output
    assert max(map(len, table.splitlines())) <= 80
    assert "us per second" in table


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.root
def test_an_ordinary_user_gets_a_whole_report_and_is_told_what_needs_root() -> None:
    code = (
        "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from pathlib import Path; from wlat_tui.doctor import examine; from wlat_tui.doctor.finding import Subject\n"
        "for f in examine(Subject(Path('/'))): print(f.name, f.state, sep='|')"
    )
    # imported before the user changes: the interpreter's own files may be closed to that user
    command = [sys.executable, "-c", f"import wlat_tui.commands.doctor\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    states = dict(line.split("|") for line in done.stdout.splitlines())
    assert states.keys() == CHECKS.keys()
    assert states["privilege"] in ("degraded", "ok")  # ok: sudo needs no password here
    assert states["capabilities"] == "degraded"
    assert states["SCHED_FIFO"] == "degraded"


def _dumps() -> Iterator[Path]:
    directory = os.environ.get("WLAT_PROCFS")
    return (path for path in Path(directory).iterdir() if path.is_dir()) if directory else iter(())


@pytest.mark.skipif("WLAT_PROCFS" not in os.environ, reason="WLAT_PROCFS names no directory of kernel files from other hosts")
def test_every_other_host_gets_a_whole_report(tmp_path: Path) -> None:
    for host in _dumps():
        for name in ("proc", "sys"):
            (tmp_path / host.name).mkdir(exist_ok=True)
            if (host / name).exists():
                (tmp_path / host.name / name).symlink_to(host / name)
        (tmp_path / host.name / "proc").exists() or (tmp_path / host.name / "proc").mkdir()
        assert len(examine(Subject(Path("/"), tmp_path / host.name))) == len(CHECKS)


def test_what_can_be_watched_here_is_tried_and_nothing_stays_armed() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    (finding,) = (found for found in examine(Subject(Path("/"))) if found.name == "suspects")
    assert finding.here.startswith(("all watched: reads of slabinfo", "blind to "))
    assert sorted(os.listdir("/proc/self/fd")) == before
