"""The watcher process on this host: what it sees as root, what it says without, and that it never stays behind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.terminal import WAIT_S, eventually
from wlat_tui.evidence import Disturbance, Thread, Watch
from wlat_tui.kernel.mounts import disk_refusal, find_mount, read_target
from wlat_tui.watch.reads import WATCH_READS
from wlat_tui.watch_client import parse_told, watcher_command
from wlat_tui.watcher import MOST_ALIKE, join, parse_wish, thin

ZONEINFO = "/proc/zoneinfo"
UNCHANGED = Path("/proc/sys/vm/panic_on_oom")
root = pytest.mark.root


class Running:
    """A watcher process, and what it says."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.stdin: IO[bytes] = process.stdin
        self._out = process.stdout.fileno()
        self._unread = b""
        told = parse_told(self._line())
        assert told.watches is not None
        self.watches: dict[str, Watch] = {watch.name: watch for watch in told.watches}

    def needs(self, name: str) -> None:
        watch = self.watches[name]
        if not watch.armed:
            pytest.skip(f"{name}: {watch.why}")

    def until(self, kind: str, what: str, command: str) -> Disturbance:
        """The first such disturbance by whoever has this in his or his parent's command line. Others use this host too."""
        while True:
            for found in parse_told(self._line()).disturbances:
                by = f"{found.by.command} {found.by.parent}"
                if (found.kind, found.what) == (kind, what) and command in by:
                    return found

    def _line(self) -> bytes:
        deadline = time.monotonic() + WAIT_S
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._out], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"nothing was told within {WAIT_S:.0f} s"
            data = os.read(self._out, 1 << 16)
            assert data, "the watcher ended"
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line


def a_wish(directory: Path, own: tuple[int, ...] = (), *, opens: bool = False) -> bytes:
    mount = find_mount(directory)
    assert mount is not None
    wish = {"device": mount.device_number, "filesystem": mount.filesystem, "mount_point": mount.mount_point}
    return json.dumps(wish | {"own": own, "avoid_cpus": (), "opens": opens}).encode() + b"\n"


@contextmanager
def watching(directory: Path, *before: str, own: tuple[int, ...] = (), opens: bool = False) -> Iterator[Running]:
    pipe = subprocess.PIPE
    command = [*before, *watcher_command()]
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
    try:
        assert process.stdin is not None
        process.stdin.write(a_wish(directory, own, opens=opens))
        process.stdin.flush()
        yield Running(process)
    finally:
        process.kill()
        process.wait()
        for file in (process.stdin, process.stdout, process.stderr):
            if file is not None:
                file.close()


@contextmanager
def a_loop(script: str, *before: str) -> Iterator[subprocess.Popen[bytes]]:
    """A shell that does something again and again. The marker is its own: other tests may run the same."""
    command = [*before, "sh", "-c", script]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def slowly(script: str) -> str:
    """Its own words, twenty times a second."""
    return f"while :; do {script}; sleep 0.05; done # {os.getpid()}"


@root
def test_a_reader_in_a_loop_is_named_with_its_shell(tmp_path: Path) -> None:
    with watching(tmp_path) as running:
        running.needs(WATCH_READS)
        running.needs("names of short-lived processes")
        with a_loop(slowly("cat /proc/zoneinfo")) as shell:
            found = running.until("read", ZONEINFO, f"# {os.getpid()}")
    assert found.by.comm == "cat"
    assert found.by.parent_pid == shell.pid
    assert found.by.pid != shell.pid
    assert not found.own
    assert found.begin_ns <= found.end_ns


@root
def test_own_readings_are_told_as_own(tmp_path: Path) -> None:
    with watching(tmp_path, own=(os.getpid(),)) as running:
        running.needs(WATCH_READS)
        Path(ZONEINFO).read_bytes()
        own = running.until("read", ZONEINFO, "")
        while own.by.pid != os.getpid():
            own = running.until("read", ZONEINFO, "")
    assert own.own


@root
def test_a_write_to_a_memory_setting_is_told_with_its_name(tmp_path: Path) -> None:
    with watching(tmp_path) as running:
        running.needs("writes to memory settings")
        value = UNCHANGED.read_text().strip()
        try:
            UNCHANGED.write_text(value)
        except OSError as error:
            pytest.skip(f"settings cannot be written here: {error.strerror}")
        with a_loop(slowly(f"echo {value} > {UNCHANGED}")):
            found = running.until("write", str(UNCHANGED), f"# {os.getpid()}")
    assert found.by.comm == "sh"


@root
def test_fsync_next_door_is_told_with_how_long_it_took(tmp_path: Path) -> None:
    mount = find_mount(tmp_path)
    assert mount is not None
    with watching(tmp_path) as running:
        running.needs("fsync on the target's filesystem")
        with a_loop(slowly(f"echo x > {tmp_path}/file; sync {tmp_path}/file")):
            found = running.until("fsync", mount.mount_point, f"# {os.getpid()}")
    assert found.by.comm == "sync"
    if mount.filesystem == "ext4":
        assert found.spent_ns == found.end_ns - found.begin_ns > 0


@root
def test_who_dirties_the_target_is_told_with_how_much(tmp_path: Path) -> None:
    target, mount = read_target(tmp_path), find_mount(tmp_path)
    assert mount is not None
    if target is not None and (refusal := disk_refusal(target)) is not None:
        pytest.skip(f"needs a temporary directory on a disk: {refusal}")
    script = "import os,sys,time\nf = open(sys.argv[1], 'wb')\nwhile True:\n f.seek(0)\n f.write(bytes(4 << 20))\n f.flush()\n"
    script += " f.truncate(0)\n time.sleep(0.05)"
    with watching(tmp_path) as running:
        running.needs("who dirties pages on the target's filesystem")
        file = tmp_path / f"dirtied-{os.getpid()}"
        writer = subprocess.Popen([sys.executable, "-c", script, file], start_new_session=True)
        try:
            found = running.until("dirtied", mount.mount_point, file.name)
        finally:
            writer.kill()
            writer.wait()
    assert found.by.pid == writer.pid
    assert found.count >= 4 << 20


@root
@pytest.mark.parametrize("opens", [False, True], ids=["at no cost", "opens traced"])
def test_a_reader_with_a_proc_of_its_own_is_seen_or_that_it_is_not_is_said(tmp_path: Path, opens: bool) -> None:
    """As in a container: another mount of proc, another pid namespace."""
    apart = ("unshare", "--mount", "--pid", "--fork", "--mount-proc")
    tried = subprocess.run([*apart, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no namespaces here: {tried.stderr.strip()}")
    with watching(tmp_path, opens=opens) as running:
        watch = running.watches["reads in other containers"]
        if opens:
            running.needs(watch.name)
        elif not watch.armed:
            assert "(CONFIG_KPROBE_EVENTS)" in watch.why or "cannot be probed" in watch.why
            assert "--watch-opens" in watch.why
            return
        with a_loop(slowly("cat /proc/zoneinfo"), *apart):
            found = running.until("read", ZONEINFO, f"# {os.getpid()}")
        assert found.by.comm == "cat"
        assert found.begin_ns < found.end_ns


@root
def test_it_gives_up_every_privilege_but_looking(tmp_path: Path) -> None:
    with watching(tmp_path) as running:
        status = Path(f"/proc/{running.process.pid}/status").read_text()
    found = dict(line.split(":\t", 1) for line in status.splitlines())
    looking = 1 << 2 | 1 << 19  # CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE
    assert int(found["CapPrm"], 16) & ~looking == 0
    assert int(found["CapEff"], 16) & ~looking == 0
    assert found["NoNewPrivs"] == "1"


@root
def test_without_privileges_it_says_why_it_is_blind_and_sees_what_it_can(tmp_path: Path) -> None:
    """A root without capabilities: as an ordinary user, and as in a container."""
    bare = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    tried = subprocess.run([*bare, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"privileges cannot be given up here: {tried.stderr.strip()}")
    with watching(tmp_path, *bare) as running:
        blind = {name: watch.why for name, watch in running.watches.items() if not watch.armed}
        assert blind["reads of slabinfo, zoneinfo, buddyinfo, pagetypeinfo"] == "watching files needs root (CAP_SYS_ADMIN)"
        assert "perf events of all CPUs are refused" in blind["names of short-lived processes"]
        assert all(blind.values()), "each has its reason"
        assert running.process.poll() is None


def test_it_ends_when_its_input_does(tmp_path: Path) -> None:
    with watching(tmp_path) as running:
        running.stdin.close()
        assert running.process.wait(60) == 0


def test_it_ends_when_nobody_listens_any_more(tmp_path: Path) -> None:
    with watching(tmp_path) as running:
        assert running.process.stdout is not None
        running.process.stdout.close()
        running.stdin.close()
        assert running.process.wait(60) == 0


def test_what_it_does_not_understand_ends_it_with_one_sentence() -> None:
    done = subprocess.run(watcher_command(), input=b'{"device": "../x"}\n', capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr == b"the watcher ended: what to watch was not understood (KeyError)\n"


def test_it_keeps_off_the_cpus_of_the_writer(tmp_path: Path) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("needs two CPUs")
    with watching(tmp_path) as running:
        wish = json.loads(a_wish(tmp_path)) | {"avoid_cpus": cpus[:1]}
        running.stdin.write(json.dumps(wish).encode() + b"\n")
        running.stdin.flush()
        eventually(lambda: os.sched_getaffinity(running.process.pid) == set(cpus[1:]), "it moved")


@given(st.binary(max_size=200))
def test_no_bytes_are_a_wish_by_accident_and_none_crash_it(line: bytes) -> None:
    with pytest.raises(ValueError, match="was not understood"):
        parse_wish(line)


@given(st.binary(max_size=200))
def test_no_bytes_from_the_watcher_crash_the_screen(line: bytes) -> None:
    with pytest.raises(ValueError, match="makes no sense"):
        parse_told(line)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)))
def test_a_disturbance_with_a_wrong_part_is_refused(part: object) -> None:
    right = asdict(a_read(1, 2))
    assert parse_told(json.dumps({"disturbances": [right]}).encode()).disturbances == (a_read(1, 2),)
    for name in ("what", "begin_ns", "by", "own"):
        if type(part) is not type(right[name]):
            with pytest.raises(ValueError, match="makes no sense"):
                parse_told(json.dumps({"disturbances": [right | {name: part}]}).encode())


def a_read(begin_ns: int, end_ns: int, pid: int = 5, comm: str = "cat") -> Disturbance:
    return Disturbance("read", ZONEINFO, Thread(pid, comm), begin_ns, end_ns, 1, end_ns - begin_ns)


def test_the_calls_of_one_reading_are_one_reading() -> None:
    ms = 1_000_000
    calls = [a_read(0, ms), a_read(2 * ms, 3 * ms), a_read(50 * ms, 51 * ms), a_read(2 * ms, 3 * ms, pid=6)]
    joined = join(calls)
    assert [(d.by.pid, d.begin_ns, d.end_ns, d.spent_ns) for d in joined] == [
        (5, 0, 3 * ms, 2 * ms),
        (6, 2 * ms, 3 * ms, ms),
        (5, 50 * ms, 51 * ms, ms),
    ]


@given(st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 100), st.sampled_from("ab")), max_size=60))
def test_however_many_are_alike_none_is_lost_from_the_sums(raw: list[tuple[int, int, str]]) -> None:
    disturbances = [a_read(begin, begin + ns, pid=i, comm=comm) for i, (begin, ns, comm) in enumerate(raw)]
    told = thin(disturbances)
    assert len(told) <= 2 * MOST_ALIKE
    assert sum(d.count for d in told) == len(raw)
    assert sum(d.spent_ns or 0 for d in told) == sum(ns for _, ns, _ in raw)
    assert [d.begin_ns for d in told] == sorted(d.begin_ns for d in told)


REUSE = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)

def start(pid, name):
    # clone3 with set_tid (Linux 5.5): the only way to be given a certain pid without a race
    wanted = (ctypes.c_int * 1)(pid)
    arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17, 0, 0, 0, ctypes.addressof(wanted), 1, 0)
    child = libc.syscall(435, arguments, ctypes.sizeof(arguments))
    if child == 0:
        os.execv(sys.executable, [name, "-c", "import time; open('/proc/zoneinfo').read(); time.sleep(0.02)"])
    if child < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    os.waitpid(child, 0)

first = os.fork()
if first == 0:
    os._exit(0)
os.waitpid(first, 0)
for round in range(1000):
    start(first, f"{sys.argv[1]}-{round % 2}")
"""


@root
def test_a_pid_that_is_used_again_is_named_anew(tmp_path: Path) -> None:
    with watching(tmp_path) as running:
        running.needs("names of short-lived processes")
        running.needs(WATCH_READS)
        mark = f"reused{os.getpid()}"
        again = subprocess.Popen([sys.executable, "-c", REUSE, mark], start_new_session=True, stderr=subprocess.PIPE)
        try:
            time.sleep(0.2)
            if again.poll() is not None:
                assert again.stderr is not None
                pytest.skip(f"no pid can be chosen here: {again.stderr.read().decode().strip()}")
            one, two = (running.until("read", ZONEINFO, f"{mark}-{i}") for i in (0, 1))
        finally:
            os.killpg(again.pid, signal.SIGKILL) if again.poll() is None else None
            again.communicate()
    assert one.by.pid == two.by.pid
    assert one.by.command.startswith(f"{mark}-0")
    assert two.by.command.startswith(f"{mark}-1")
