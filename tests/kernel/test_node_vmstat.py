from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.tree import NODES, node_files, write
from wlat_tui.frame import Kswapd
from wlat_tui.kernel.node_vmstat import NodeVmstat, online_nodes, parse_node_vmstat, read_node_vmstat

NAMES = st.text(alphabet="abcdefghijklmnopqrstuvwxyz_0123456789", min_size=1)


def _free(reader: NodeVmstat) -> dict[int, int]:
    return {sample.node: sample.rows["nr_free_pages"] for sample in reader.read()}


def _host(root: Path, *nodes: int, online: str) -> Path:
    for node in nodes:
        write(root, node_files(node, free=1000 + node))
    return write(root, {f"{NODES}/online": f"{online}\n"})


@given(st.dictionaries(NAMES | st.just(""), st.integers(0, 2**64 - 1)))
def test_rows_come_back_as_printed_named_or_not(rows: dict[str, int]) -> None:
    text = "".join(f"{name} {value}\n" if name else f"{value}\n" for name, value in rows.items())
    assert parse_node_vmstat(text) == rows
    assert parse_node_vmstat(text.rstrip("\n")) == rows


def test_every_tick_shows_what_is_in_the_files_now(tmp_path: Path) -> None:
    reader = NodeVmstat(_host(tmp_path, 0, 8, online="0,8"))
    assert _free(reader) == {0: 1000, 8: 1008}
    (tmp_path / NODES / "node8/vmstat").write_text("nr_free_pages 3\n")
    assert _free(reader) == {0: 1000, 8: 3}
    reader.close()


def test_a_node_that_is_plugged_in_appears(tmp_path: Path) -> None:
    reader = NodeVmstat(_host(tmp_path, 0, online="0"))
    assert _free(reader) == {0: 1000}
    _host(tmp_path, 2, online="0,2")
    assert _free(reader) == {0: 1000, 2: 1002}
    reader.close()


def test_a_node_that_is_pulled_out_disappears_and_may_come_back(tmp_path: Path) -> None:
    reader = NodeVmstat(_host(tmp_path, 0, 1, online="0-1"))
    assert _free(reader) == {0: 1000, 1: 1001}
    shutil.rmtree(tmp_path / NODES / "node1")
    _host(tmp_path, online="0")
    assert _free(reader) == {0: 1000}
    _host(tmp_path, 1, online="0-1")
    (tmp_path / NODES / "node1/vmstat").write_text("nr_free_pages 77\n")
    assert _free(reader) == {0: 1000, 1: 77}
    reader.close()


def test_a_node_that_vanishes_under_its_open_file_is_left_out_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sysfs answers ENODEV on a file kept open when its device was removed; the file of the new device is another one."""
    reader = NodeVmstat(_host(tmp_path, 0, 1, online="0-1"))
    assert len(reader.read()) == 2
    real = os.pread

    def gone(fd: int, size: int, offset: int) -> bytes:
        if os.readlink(f"/proc/self/fd/{fd}").endswith("node1/vmstat"):
            raise OSError(errno.ENODEV, "No such device")
        return real(fd, size, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", gone)
        assert _free(reader) == {0: 1000}
        assert _free(reader) == {0: 1000}
    assert _free(reader) == {0: 1000, 1: 1001}
    reader.close()


def test_without_a_list_of_online_nodes_the_directories_count(tmp_path: Path) -> None:
    write(tmp_path, {**node_files(3), **node_files(250)})
    reader = NodeVmstat(tmp_path)
    assert [sample.node for sample in reader.read()] == [3, 250]
    reader.close()


def test_a_kernel_without_nodes_gives_no_samples(tmp_path: Path) -> None:
    assert NodeVmstat(tmp_path).read() == ()
    assert online_nodes(tmp_path) == ()
    assert read_node_vmstat(0, tmp_path) is None


def test_a_node_without_the_file_is_left_out(tmp_path: Path) -> None:
    root = _host(tmp_path, 0, 1, online="0-1")
    (root / NODES / "node1/vmstat").unlink()
    reader = NodeVmstat(root)
    assert [sample.node for sample in reader.read()] == [0]
    reader.close()


def test_the_reclaim_thread_goes_to_its_node(tmp_path: Path) -> None:
    reader = NodeVmstat(_host(tmp_path, 0, 1, online="0-1"))
    thread = Kswapd(45, "S", 10)
    assert [sample.kswapd for sample in reader.read({1: thread})] == [None, thread]
    reader.close()


def test_nothing_stays_open_after_close(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    reader = NodeVmstat(_host(tmp_path, 0, 1, online="0-1"))
    reader.read()
    reader.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_two_rows_without_a_name_are_not_taken_for_a_name_and_its_number() -> None:
    assert parse_node_vmstat("nr_dirty 4\n5\n6\n") == {"nr_dirty": 4, "": 6}
    assert parse_node_vmstat("") == {}
