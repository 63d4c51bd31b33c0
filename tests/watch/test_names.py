"""A process is called by its name also when it is gone, and never by the name of another with the same pid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kernel.tree import write
from wlat_tui.watch.names import FRESH_NS, Names
from wlat_tui.watch.native import Life

SHELL, CAT = 70, 900
LOOP = "bash\0-c\0while :; do cat /proc/slabinfo; done\0"
SAID = "bash -c while :; do cat /proc/slabinfo; done"


class Records:
    """The kernel's records, as far as a test tells them."""

    def __init__(self) -> None:
        self.lives: dict[int, Life] = {}

    def find(self, pid: int) -> Life | None:
        return self.lives.get(pid)

    def born(self, pid: int, parent: int, at_ns: int, comm: str = "cat", exit_ns: int = 0) -> None:
        self.lives[pid] = Life(pid, parent, at_ns, at_ns + 10, exit_ns, comm)


def a_process(root: Path, pid: int, parent: int, comm: str, cmdline: str, cgroup: str = "0::/\n", started: int = 5) -> None:
    fields = ["S", str(parent), *["0"] * 17, str(started), *["0"] * 10]
    files = {"stat": f"{pid} ({comm}) {' '.join(fields)}\n", "cmdline": cmdline, "cgroup": cgroup, "comm": f"{comm}\n"}
    write(root, {f"proc/{pid}/{name}": text for name, text in files.items()})


def gone(root: Path, pid: int) -> None:
    for path in (root / f"proc/{pid}").iterdir():
        path.unlink()


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def names(tmp_path: Path, records: Records) -> Names:
    a_process(tmp_path, SHELL, 1, "bash", LOOP, "0::/system.slice/monitor.service\n")
    return Names(records, tmp_path)  # type: ignore[arg-type]


def test_a_living_reader_has_command_container_and_parent(names: Names, records: Records, tmp_path: Path) -> None:
    records.born(CAT, SHELL, 100)
    a_process(tmp_path, CAT, SHELL, "cat", "cat\0/proc/slabinfo\0", "0::/system.slice/monitor.service\n")
    found = names.thread(CAT, "/proc/slabinfo", 200)
    assert (found.comm, found.command, found.container) == ("cat", "cat /proc/slabinfo", "monitor.service")
    assert (found.parent_pid, found.parent) == (SHELL, SAID)


def test_a_reader_that_is_gone_is_still_named_and_its_shell_too(names: Names, records: Records) -> None:
    records.born(CAT, SHELL, 100, exit_ns=150)
    found = names.thread(CAT, "/proc/slabinfo", 200)
    assert (found.comm, found.command, found.container) == ("cat", "", "monitor.service")
    assert (found.parent_pid, found.parent) == (SHELL, SAID)


def test_a_reader_that_is_gone_has_the_command_line_of_its_sibling(names: Names, records: Records, tmp_path: Path) -> None:
    records.born(CAT, SHELL, 100)
    a_process(tmp_path, CAT, SHELL, "cat", "cat\0/proc/slabinfo\0")
    names.thread(CAT, "/proc/slabinfo", 200)
    records.born(CAT + 1, SHELL, 300, exit_ns=310)
    assert names.thread(CAT + 1, "/proc/slabinfo", 400).command == "cat /proc/slabinfo"
    assert names.thread(CAT + 1, "/proc/slabinfo", 400 + 2 * FRESH_NS).command == "cat /proc/slabinfo"
    records.born(CAT + 2, SHELL, 300, exit_ns=310)
    assert names.thread(CAT + 2, "/proc/zoneinfo", 400).command == "", "another file: perhaps another command line"


def test_a_pid_that_is_used_again_is_somebody_else(names: Names, records: Records, tmp_path: Path) -> None:
    records.born(CAT, SHELL, 100)
    a_process(tmp_path, CAT, SHELL, "cat", "cat\0/proc/slabinfo\0")
    assert names.thread(CAT, "/proc/slabinfo", 200).comm == "cat"
    gone(tmp_path, CAT)
    a_process(tmp_path, CAT, 1, "slabtop", "slabtop\0")
    records.born(CAT, 1, 5_000, "slabtop")
    found = names.thread(CAT, "/proc/slabinfo", 6_000)
    assert (found.comm, found.command, found.parent_pid) == ("slabtop", "slabtop", 1)


def test_without_records_a_pid_is_told_apart_by_its_start(tmp_path: Path) -> None:
    names = Names(None, tmp_path)
    a_process(tmp_path, CAT, 1, "cat", "cat\0", started=5)
    assert names.thread(CAT, "x", 0).comm == "cat"
    a_process(tmp_path, CAT, 1, "slabtop", "slabtop\0", started=6)
    assert names.thread(CAT, "x", 0).comm == "slabtop"


def test_after_exec_a_process_is_what_it_has_become(names: Names, records: Records, tmp_path: Path) -> None:
    records.lives[CAT] = Life(CAT, SHELL, 100, 0, 0, "bash")
    a_process(tmp_path, CAT, SHELL, "bash", LOOP)
    assert names.thread(CAT, "x", 200).comm == "bash"
    records.born(CAT, SHELL, 100)
    gone(tmp_path, CAT)
    a_process(tmp_path, CAT, SHELL, "cat", "cat\0x\0")
    assert names.thread(CAT, "x", 300).command == "cat x"


def test_steps_on_the_way_are_passed_over_to_who_starts_them_again_and_again(
    names: Names, records: Records, tmp_path: Path
) -> None:
    """watch(1) starts a shell that starts the reader: both are new each time."""
    watch, step = 40, 71
    a_process(tmp_path, watch, 60, "watch", "watch\0-n1\0cat /proc/slabinfo\0")
    a_process(tmp_path, step, watch, "sh", "sh\0-c\0cat /proc/slabinfo\0")
    records.born(step, watch, 90, "sh")
    records.born(CAT, step, 100, exit_ns=150)
    found = names.thread(CAT, "/proc/slabinfo", 200)
    assert names.settled(found) == found, "the shell is still there: it may be the one that loops"
    gone(tmp_path, step)
    records.lives[step] = replace(records.lives[step], exit_ns=210)
    settled = names.settled(found)
    assert (settled.parent_pid, settled.parent) == (watch, "watch -n1 cat /proc/slabinfo")


def test_a_shell_that_looped_long_and_ended_just_now_is_not_passed_over(names: Names, records: Records) -> None:
    records.born(SHELL, 60, 90, "bash", exit_ns=90 + 10 * FRESH_NS)
    records.born(CAT, SHELL, 100, exit_ns=150)
    found = names.thread(CAT, "/proc/slabinfo", 200)
    assert names.settled(found).parent_pid == SHELL


def test_a_process_of_another_pid_namespace_is_said_to_be_invisible(names: Names) -> None:
    assert names.thread(0, "x", 0).container == "a container that wlat cannot see into"
