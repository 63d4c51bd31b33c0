"""The kernel functions a write went through, with the time each took: a trace instance of our own, limited to the writer.

It is a kernel setting like others, value ``off`` or the writer's thread id, so the keeper writes it down before it is made, and
whatever becomes of this wlat, the instance is removed with everything else that is put back.
Source: Documentation/trace/ftrace.rst, "Instances" and "function_graph"; private instances have had function_graph since 6.2.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from wlat_tui.kernel.files import read_line
from wlat_tui.mitigations.knob import put

NAME = "function_listing"
OFF = "off"
INSTANCE = "wlat"
TRACERS = ("function_graph", "function")
"""The better one first; ``function`` tells when a function was called but not for how long. Measured: 6.12 has both in an
instance, 6.1 the second only."""
BUFFER_KB = 2048
"""Per CPU: some 50,000 calls, about half a second of writing 5,000 times a second."""
ABSOLUTE_TIMES = "options/funcgraph-abstime"
"""Off by default, and shared by all instances (it belongs to the tracer), so it is switched off again at the end."""
LONGEST_LINES = 400
LONGEST_BYTES = 48_000
COST = (
    "each listed function costs 0.1 to 0.5 us more per call while it is on, so writes get several times slower; other programs "
    "are not slowed down, but kernel text is patched while it is switched"
)
"""Said before it is switched on. Measured: kernel.md, "function_graph"."""
FUNCTIONS = (
    *("vfs_write", "generic_perform_write", "generic_update_time", "balance_dirty_pages", "folio_wait_writeback"),
    *("ext4_buffered_write_iter", "ext4_da_write_begin", "ext4_da_write_end", "ext4_dirty_inode", "alloc_buffer_head"),
    *("xfs_file_buffered_write", "xfs_buffered_write_iomap_begin", "xfs_trans_alloc", "xfs_log_reserve"),
    *("jbd2__journal_start", "add_transaction_credits", "jbd2_journal_get_write_access", "wait_transaction_locked"),
    *("__filemap_get_folio", "filemap_add_folio", "folio_add_lru", "mem_cgroup_handle_over_high", "try_charge_memcg"),
    *("get_page_from_freelist", "__alloc_pages_slowpath*", "try_to_free_pages", "try_to_free_mem_cgroup_pages", "node_reclaim"),
    *("shrink_node", "shrink_slab", "___slab_alloc", "get_partial_node*", "folio_lruvec_lock_irqsave"),
    *("rwsem_down_write_slowpath", "queued_spin_lock_slowpath", "native_queued_spin_lock_slowpath", "io_schedule", "schedule"),
)
"""Few: with every function hooked all of the host gets slower. Those a kernel does not have, or has inlined, are left out."""
_STAMP = re.compile(rb"(?:\s*|.{1,60}?\s)(\d+)\.(\d{6})(?: \||: )")
"""function_graph's begins the line; function's stands behind thread, CPU and flags."""


@cache
def _own_tracefs() -> Path:
    """The mounted tracefs, else one that is mounted nowhere and open for the life of this process. Raises OSError."""
    from wlat_tui.watch.native import open_tracefs

    return Path(f"/proc/self/fd/{open_tracefs()}")


def tracefs(root: Path) -> Path:
    """Where tracepoints and instances are. Raises OSError: not allowed, or not built."""
    return _own_tracefs() if root == Path("/") else root / "sys/kernel/tracing"


class FunctionListing:
    """The keeper's side: makes and removes the instance."""

    name = NAME
    title = "function listing"
    touches: tuple[str, ...] = ()
    shown_only: str | None = None

    def paths(self, root: Path) -> tuple[Path, ...]:
        return ()

    def read(self, root: Path) -> str | None:
        try:
            top = tracefs(root)
        except OSError:
            return None
        if not (top / "available_tracers").exists():
            return None
        return (read_line(top / "instances" / INSTANCE / "set_ftrace_pid") or "0") if self._made(top) else OFF

    def well_formed(self, value: str) -> bool:
        return value == OFF or re.fullmatch(r"0|[1-9][0-9]{0,9}", value, re.ASCII) is not None

    def refuse(self, value: str, root: Path, original: str) -> str | None:
        if value == OFF:
            return None
        if not self.well_formed(value) or read_line(root / f"proc/{value}/comm") != "wlat-writer":
            return f"{self.title} takes the thread id of a wlat writer, or {OFF}"
        if not set(TRACERS) & set((read_line(tracefs(root) / "available_tracers") or "").split()):
            return "this kernel cannot list functions: it was built without function tracing"
        return None

    def steps(self, value: str, root: Path) -> tuple[str, ...]:
        return (value,)

    def write(self, value: str, root: Path) -> None:
        top = tracefs(root)
        if value == OFF:
            self._remove(top / "instances" / INSTANCE)
        elif self._made(top):
            put(top / "instances" / INSTANCE / "set_ftrace_pid", value)
        else:
            self._make(top / "instances" / INSTANCE, value)

    def _made(self, top: Path) -> bool:
        return (top / "instances" / INSTANCE).is_dir()

    def _make(self, instance: Path, tid: str) -> None:
        """Everything before the tracer itself: unlimited, it would slow down the whole host."""
        instance.mkdir(0o700)
        try:
            put(instance / "set_ftrace_pid", tid)
            if not sum(_hook(instance, function) for function in FUNCTIONS):
                raise OSError(errno.ENOENT, "none of the functions can be traced here", str(instance / "set_ftrace_filter"))
            put(instance / "buffer_size_kb", str(BUFFER_KB))
            put(instance / "trace_clock", "mono")
            self._start(instance)
        except OSError as error:
            self._remove(instance)
            if error.errno == errno.EPERM:
                raise OSError(errno.EPERM, "this kernel lets nobody trace functions", error.filename) from error
            raise

    def _start(self, instance: Path) -> None:
        offered = (read_line(instance / "available_tracers") or "").split()
        tracer = next((name for name in TRACERS if name in offered), TRACERS[-1])
        put(instance / "current_tracer", tracer)
        if (instance / ABSOLUTE_TIMES).exists():
            put(instance / ABSOLUTE_TIMES, "1")

    def _remove(self, instance: Path) -> None:
        try:
            if (instance / ABSOLUTE_TIMES).exists():
                put(instance / ABSOLUTE_TIMES, "0")
            put(instance / "current_tracer", "nop")
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EPERM):
                raise
        if instance.is_dir():
            instance.rmdir()


def _hook(instance: Path, function: str) -> bool:
    """Whether this kernel has it."""
    try:
        # appended: opening it with O_TRUNC would forget the ones before
        fd = os.open(instance / "set_ftrace_filter", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except OSError as error:
        error.filename = str(instance / "set_ftrace_filter")
        raise
    try:
        os.write(fd, f"{function}\n".encode("ascii"))
    except OSError as error:
        if error.errno != errno.EINVAL:
            error.filename = str(instance / "set_ftrace_filter")
            raise
        return False
    finally:
        os.close(fd)
    return True


def cut(lines: Iterable[bytes], from_ns: int, to_ns: int) -> str:
    """The calls of one span (CLOCK_MONOTONIC) out of a function_graph listing, at most `LONGEST_LINES`.

    Args:
        lines: of the ``trace`` file with absolute times; in time order for each CPU.
        from_ns, to_ns: the span; the listing's own times are in whole microseconds.
    """
    kept: list[bytes] = []
    length = 0
    for line in lines:
        stamp = _STAMP.match(line)
        if stamp is None:
            continue
        at_us = int(stamp[1]) * 1_000_000 + int(stamp[2])
        if not from_ns // 1000 <= at_us <= to_ns // 1000 + 1:
            continue
        length += len(line)
        if len(kept) == LONGEST_LINES or length > LONGEST_BYTES:
            kept.append(b"... and more")
            break
        kept.append(line.rstrip())
    return b"\n".join(kept).decode("utf-8", "replace")


def read_listing(root: Path, from_ns: int, to_ns: int) -> str:
    """What the instance recorded in this span; "" when there is none. Raises OSError."""
    try:
        with open(tracefs(root) / "instances" / INSTANCE / "trace", "rb") as lines:
            return cut(lines, from_ns, to_ns)
    except FileNotFoundError:
        return ""
