"""Who dirties pages is found by counters of /proc/PID/io, without asking those who never can."""

from __future__ import annotations

from pathlib import Path

from wlat_tui.watch.names import Names
from wlat_tui.watch.neighbours import Dirtiers

FLAGS_OF_A_KERNEL_THREAD, FLAGS_OF_A_PROCESS = 0x0020_8040, 0x0040_0100
MIB = 1 << 20


def a_process(root: Path, pid: int, flags: int, written: int) -> None:
    """Everything that is asked of one that has a file of device 254:0 open to write."""
    here = root / f"proc/{pid}"
    (here / "fdinfo").mkdir(parents=True, exist_ok=True)
    (here / "stat").write_text(f"{pid} (dd) R 1 1 1 0 -1 {flags} {'0 ' * 40}\n")
    (here / "comm").write_text("dd\n")
    (here / "io").write_text(f"rchar: 0\nwrite_bytes: {written}\ncancelled_write_bytes: 0\n")
    (here / "mountinfo").write_text("25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n")
    (here / "fdinfo/3").write_text("pos:\t0\nflags:\t0100001\nmnt_id:\t25\n")


def test_a_process_that_dirties_pages_is_told_and_the_kernels_own_threads_are_not_asked_again(tmp_path: Path) -> None:
    dirtiers = Dirtiers(Names(None, tmp_path), lambda _pid: False, tmp_path)
    for pid, flags in ((7, FLAGS_OF_A_PROCESS), (8, FLAGS_OF_A_KERNEL_THREAD)):
        a_process(tmp_path, pid, flags, written=0)
    assert dirtiers.look(1, "254:0", "/") == []
    for pid, flags in ((7, FLAGS_OF_A_PROCESS), (8, FLAGS_OF_A_KERNEL_THREAD)):
        a_process(tmp_path, pid, flags, written=5 * MIB)
    (tmp_path / "proc/8/io").unlink()
    (tmp_path / "proc/8/io").mkdir()  # reading it raises
    found = dirtiers.look(2, "254:0", "/")
    assert [(d.by.pid, d.count, d.begin_ns, d.end_ns) for d in found] == [(7, 5 * MIB, 1, 2)]
