"""Foreign probes and BPF programs, told apart by whether writes pass them."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.tree import write
from wlat_tui.kernel.hooks import Hook, parse_kprobes, read_kprobes
from wlat_tui.watch.native import bpf_programs
from wlat_tui.watch.neighbours import look_for_hooks

LIST = """ffffffffa1c3b2a0  k  vfs_write+0x0    [FTRACE]
ffffffffa1c3b2b0  r  ext4_file_write_iter+0x0    [FTRACE]
ffffffffa1c3b2c0  k  do_sys_openat2+0x0    [DISABLED][FTRACE]
ffffffffa1c3b2d0  k  tcp_v4_connect+0x4
"""
RARE = "ext4_sync_fs"
"""A tracepoint that is hardly ever hit."""


def test_listed_probes_are_told_and_those_switched_off_are_not(tmp_path: Path) -> None:
    assert read_kprobes(tmp_path) is None
    found = read_kprobes(write(tmp_path, {"sys/kernel/debug/kprobes/list": LIST}))
    assert found == (
        Hook("kprobe", "", "vfs_write"),
        Hook("kretprobe", "", "ext4_file_write_iter"),
        Hook("kprobe", "", "tcp_v4_connect"),
    )
    assert [hook.target for hook in found if hook.on_write_path] == ["vfs_write", "ext4_file_write_iter"]


@pytest.mark.parametrize(
    "target", ["sys_enter", "sys_enter_write", "ksys_write", "kmem_cache_alloc", "sched_switch", "folio_wait_bit"]
)
def test_what_writes_pass_is_known(target: str) -> None:
    assert Hook("BPF", "x", target).on_write_path


@pytest.mark.parametrize("target", ["", "sys_enter_openat", "tcp_sendmsg", "vfs_read", "writer_of_nothing"])
def test_what_writes_do_not_pass_is_known_too(target: str) -> None:
    assert not Hook("BPF", "x", target).on_write_path


@given(st.text(max_size=200))
def test_no_text_crashes_it(text: str) -> None:
    parse_kprobes(text)


@pytest.fixture
def program() -> Iterator[str]:
    """The name of a BPF program that does nothing, attached to a tracepoint for as long as the test runs."""
    libc = ctypes.CDLL(None, use_errno=True)

    def bpf(command: int, attributes: bytes) -> int:
        fd = int(libc.syscall(321, command, attributes, len(attributes)))
        if fd < 0:
            pytest.skip(f"no BPF here: {os.strerror(ctypes.get_errno())}")
        return fd

    if os.uname().machine != "x86_64":
        pytest.skip("the number of bpf(2) is known to this test on x86_64 only")
    code = ctypes.create_string_buffer(
        struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0)
    )  # r0 = 0; exit
    license_ = ctypes.create_string_buffer(b"GPL")
    name = f"wlat{os.getpid()}"[:15]
    load = struct.pack("=IIQQIIQII16s", 17, 2, ctypes.addressof(code), ctypes.addressof(license_), 0, 0, 0, 0, 0, name.encode())
    loaded = bpf(5, load)
    where = ctypes.create_string_buffer(RARE.encode())
    attached = bpf(17, struct.pack("=QII", ctypes.addressof(where), loaded, 0))
    yield name
    os.close(attached)
    os.close(loaded)


@pytest.mark.root
def test_an_attached_program_is_found_with_what_it_hangs_on(program: str) -> None:
    assert Hook("BPF", program, RARE) in bpf_programs()
    watch, found = look_for_hooks(5)
    assert watch.armed
    assert [(d.kind, d.what, d.by.pid) for d in found if d.by.comm == program] == [("hook", RARE, 0)]
