"""One way of getting into a writer's way, as a process of its own: ``python -m tests.causes.hurt NAME ARGUMENT...``.

It goes on until it is killed. It prints one line when it has begun.
"""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878
"""Source: include/uapi/linux/fs.h."""
SYNC_FILE_RANGE_ALL = 7
"""WAIT_BEFORE, WRITE and WAIT_AFTER. Source: sync_file_range(2)."""
SYS_PROCESS_MADVISE, MADV_PAGEOUT = 440, 21
"""Since 5.10, the number on every architecture. Source: include/uapi/asm-generic/unistd.h, mman-common.h."""
IMPORTANT = -15
"""So that a reader comes to its turn also where much else runs."""
CHUNK = 1 << 16
PAGE = 4096
CACHE_BYTES = 8 << 20
"""More than a core's own caches hold, in two such buffers."""
_libc = ctypes.CDLL(None, use_errno=True)


def _pin(cpu: str) -> None:
    os.sched_setaffinity(0, {int(cpu)})


def _begun() -> None:
    print("begun", flush=True)


def fifo_hog(cpu: str, busy_ms: str, idle_ms: str) -> None:
    """A real-time thread that takes a CPU again and again."""
    _pin(cpu)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
    _begun()
    while True:
        until = time.monotonic() + float(busy_ms) / 1e3
        while time.monotonic() < until:
            pass
        time.sleep(float(idle_ms) / 1e3)


def burn(cpu: str) -> None:
    """An ordinary thread that always wants a CPU."""
    _pin(cpu)
    _begun()
    while True:
        sum(range(10_000))


def _other_work() -> Iterator[Callable[[], None]]:
    """For ever: what to do between two reads, so that the CPU's own caches hold nothing of what the kernel will look at.

    A monitor that comes every few seconds finds it so, and the kernel holds the lock several times as long.
    """
    to, of = memoryview(bytearray(CACHE_BYTES)), bytes(CACHE_BYTES)

    def forget() -> None:
        to[:] = of

    while True:
        yield forget


def read(cpu: str, path: str) -> None:
    """A monitor without manners: reads a kernel file over and over."""
    _pin(cpu)
    os.nice(IMPORTANT)
    buffer = bytearray(1 << 20)
    fd = os.open(path, os.O_RDONLY)
    _begun()
    for forget in _other_work():
        os.lseek(fd, 0, os.SEEK_SET)
        while os.readv(fd, [buffer]):
            pass
        forget()


def fsync_storm(directory: str) -> None:
    """A database next door: small files made, written and synced."""
    names = [Path(directory, f"storm-{os.getpid()}-{i}") for i in range(16)]
    _begun()
    for name in itertools.cycle(names):
        fd = os.open(name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        os.write(fd, b"x" * 20_000)
        os.fsync(fd)
        os.close(fd)


def metadata_storm(directory: str) -> None:
    """Fills the journal: many small changes, none synced."""
    names = [Path(directory, f"meta-{os.getpid()}-{i}") for i in range(2_000)]
    _begun()
    while True:
        for name in names:
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600))
        for name in names:
            name.unlink()


def syncfs(directory: str, pause_ms: str) -> None:
    """Writes the whole filesystem out, the writer's file too."""
    fd = os.open(directory, os.O_RDONLY)
    _begun()
    while True:
        if _libc.syncfs(fd):
            raise OSError(ctypes.get_errno(), "syncfs")
        time.sleep(float(pause_ms) / 1e3)


def _files_of(pid: str) -> Iterator[int]:
    """The nameless files a process has open, opened once more."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "(deleted)" not in os.readlink(link):
                continue
            fd = os.open(link, os.O_WRONLY)
        except OSError:
            continue  # retired meanwhile
        try:
            yield fd
        finally:
            os.close(fd)


def second_writer(pid: str, cpu: str) -> None:
    """Writes to the same file, through the descriptors of the process that has it open.

    On the writer's CPU and below it: so the writer always meets it off the CPU with the lock held, and has to sleep. Where the
    owner runs on another CPU the kernel spins first, and records nothing of that.
    """
    _pin(cpu)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
    _begun()
    block = mmap.mmap(-1, 2 << 20)
    while True:
        for fd in _files_of(pid):
            os.pwrite(fd, block, 0)
        time.sleep(0.005)


def write_out(pid: str, pause_ms: str) -> None:
    """Has the dirty pages of the writer's file written to the disk, without a commit of the journal."""
    _begun()
    while True:
        for fd in _files_of(pid):
            if _libc.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), SYNC_FILE_RANGE_ALL):
                raise OSError(ctypes.get_errno(), "sync_file_range")
        time.sleep(float(pause_ms) / 1e3)


def evict_ahead(pid: str, size_bytes: str) -> None:
    """Has the writer overwrite what is on the disk only: fills its files ahead of it, syncs, drops that from the cache."""
    size = int(size_bytes)
    _begun()
    while True:
        for fd in _files_of(pid):
            ahead = (os.fstat(fd).st_size + CHUNK) // PAGE * PAGE
            if ahead < size:
                for offset in range(ahead, size, CHUNK):
                    os.pwrite(fd, b"x" * min(CHUNK, size - offset), offset)
                os.fsync(fd)
                os.posix_fadvise(fd, ahead, 0, os.POSIX_FADV_DONTNEED)
        time.sleep(0.02)


def page_out(pid: str, directory: str) -> None:
    """Takes a process's own memory from it again and again, into a swap file that exists for that time only."""
    _libc.syscall.restype = ctypes.c_long
    path = Path(directory, "swap")
    with path.open("wb") as file:
        file.write(bytes(64 << 20))
        os.fsync(file.fileno())
    path.chmod(0o600)
    subprocess.run(["mkswap", path], check=True, capture_output=True)
    pidfd = os.pidfd_open(int(pid))
    if _libc.swapon(os.fsencode(path), 0):
        raise OSError(ctypes.get_errno(), "swapon")
    try:
        _begun()
        while True:
            for begin, end in _anonymous_memory(pid):
                span = (ctypes.c_size_t * 2)(begin, end - begin)
                # what is locked in memory is refused or passed over
                _libc.syscall(SYS_PROCESS_MADVISE, pidfd, span, ctypes.c_size_t(1), MADV_PAGEOUT, 0)
            time.sleep(0.01)
    finally:
        _libc.swapoff(os.fsencode(path))


def _anonymous_memory(pid: str) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, _offset, _device, inode, *name = line.split(maxsplit=5)
        if inode == "0" and rights.startswith("rw") and not name:
            begin, end = span.split("-")
            yield int(begin, 16), int(end, 16)


def dirty(directory: str, size_bytes: str, pause_ms: str = "0") -> None:
    """Copies: dirties as much as it may, over and over the same file."""
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
    block = b"x" * CHUNK
    _begun()
    while True:
        for offset in range(0, int(size_bytes), CHUNK):
            os.pwrite(fd, block, offset)
        time.sleep(float(pause_ms) / 1e3)


def fill_cache(cpu: str, directory: str) -> None:
    """Reads a sparse file of twice the memory, so that the page cache of that CPU's node is full and stays so."""
    _pin(cpu)
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
    size = 2 * os.sysconf("SC_PHYS_PAGES") * PAGE
    os.ftruncate(fd, size)
    # page by page: for large folios others make room by compaction
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_RANDOM)
    buffer = bytearray(1 << 20)
    _begun()
    while True:
        for offset in range(0, size, len(buffer)):
            os.preadv(fd, [buffer], offset)


def starve_kswapd(cpu: str, memory_node: str) -> None:
    """Has a node's kswapd run on this CPU only, when nothing else wants it: who needs a page must soon make room itself."""
    pid = next(pid for pid in _processes() if _comm(pid) == f"kswapd{memory_node}")
    os.nice(IMPORTANT)  # to be there when it is to be put back
    cpus, policy, nice = os.sched_getaffinity(pid), os.sched_getscheduler(pid), os.getpriority(os.PRIO_PROCESS, pid)
    try:
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))
        os.sched_setaffinity(pid, {int(cpu)})
        _begun()
        while True:
            time.sleep(1)
    finally:
        os.sched_setaffinity(pid, cpus)
        os.sched_setscheduler(pid, policy, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, pid, nice)


def _processes() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())


def _comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""  # gone meanwhile


def filled_cache(cpu: str, directory: str, size_bytes: str) -> None:
    """Has read a sparse file of this size and holds still: what is short of memory then has to make room itself."""
    _pin(cpu)
    fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.ftruncate(fd, int(size_bytes))
    buffer = bytearray(1 << 20)
    for offset in range(0, int(size_bytes), len(buffer)):
        os.preadv(fd, [buffer], offset)
    _begun()
    while True:
        time.sleep(1)


def look_up(cpu: str, directory: str, count: str) -> None:
    """A job that looks for files which do not exist, ever new ones: the kernel remembers each of these names."""
    _pin(cpu)
    names = (f"{directory}/{i}" for i in itertools.count())
    for name in itertools.islice(names, int(count)):
        os.path.exists(name)
    _begun()
    for name in names:
        os.path.exists(name)


def occupy(cpu: str, memory_node: str) -> None:
    """Drops what is in the page cache and mapped by nobody, then takes all that is free on a node.

    Memory of its own: without swap nothing of that can be taken back.
    """
    _pin(cpu)
    Path("/proc/self/oom_score_adj").write_text("1000")
    Path("/proc/sys/vm/drop_caches").write_text("1")
    rows = Path(f"/sys/devices/system/node/node{memory_node}/meminfo").read_text().splitlines()
    free_bytes = next(int(row.split()[3]) for row in rows if "MemFree" in row) << 10
    # what does not fit any more comes from another node; private: shared memory would count as mapped cache
    memory = mmap.mmap(-1, free_bytes + (64 << 20), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for offset in range(0, len(memory), PAGE):
        memory[offset] = 1
    _begun()
    while True:
        time.sleep(1)


def freeze(directory: str, frozen_ms: str, thawed_ms: str) -> None:
    """A snapshot tool: holds the whole filesystem for a while. A signal to end is obeyed between two freezes only."""
    ending = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: ending.set())
    fd = os.open(directory, os.O_RDONLY)
    _begun()
    while not ending.wait(float(thawed_ms) / 1e3):
        fcntl.ioctl(fd, FIFREEZE, 0)
        try:
            time.sleep(float(frozen_ms) / 1e3)
        finally:
            fcntl.ioctl(fd, FITHAW, 0)


def partial_slabs(cpu: str, directory: str, size_bytes: str) -> None:
    """Leaves many half-empty buffer_head slabs: writes, syncs, evicts all but every tenth page; then reads slabinfo for ever.

    A slab of buffer_head holds 39 objects (104 bytes each), and with blocks of 1 KiB a page has four of them. Written page by
    page: of a large folio no part can be evicted.
    """
    _pin(cpu)
    path = Path(directory, "slabs")
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    size = int(size_bytes)
    for offset in range(0, size, PAGE):
        os.pwrite(fd, b"x" * PAGE, offset)
    os.fsync(fd)
    step = 10 * PAGE
    for offset in range(0, size, step):
        os.posix_fadvise(fd, offset + PAGE, step - PAGE, os.POSIX_FADV_DONTNEED)
    buffer = bytearray(1 << 20)
    slabinfo = os.open("/proc/slabinfo", os.O_RDONLY)
    os.nice(IMPORTANT)
    _begun()
    for forget in _other_work():
        os.lseek(slabinfo, 0, os.SEEK_SET)
        while os.readv(slabinfo, [buffer]):
            pass
        forget()


WAYS: dict[str, Callable[..., None]] = {
    way.__name__: way
    for way in (
        fifo_hog, burn, read, fsync_storm, metadata_storm, syncfs, second_writer, write_out, fill_cache, filled_cache,
        starve_kswapd, look_up, occupy, dirty, freeze, partial_slabs, evict_ahead, page_out,
    )
}  # fmt: skip

PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    # whoever started it may be killed: nothing that gets in the way outlives it; a shell's background jobs ignore SIGINT
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
    WAYS[sys.argv[1]](*sys.argv[2:])
