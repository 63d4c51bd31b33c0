"""What others have hung into the kernel: kernel probes and BPF programs, and whether writes pass them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from wlat_tui.kernel import ROOT
from wlat_tui.kernel.files import read_text

WRITE_PATH = re.compile(
    r"(__x64_|__arm64_|ksys_|vfs_|new_sync_|__kernel_)?p?write(v|64|_iter)?\b"
    r"|sys_(enter|exit)(_p?writev?(64)?)?\b|raw_syscalls"
    r"|(ext4|xfs|btrfs|f2fs|jbd2|iomap|generic)_\w+|balance_dirty_pages\w*|writeback\w*|folio_\w+|filemap_\w+|mm_filemap_\w+"
    r"|mm_page_\w+|kmem_cache_(alloc|free)\w*|kmalloc\w*|__?alloc_pages\w*|alloc_buffer_head|mm_vmscan_\w+|sched_switch"
)
"""Functions and tracepoints that a buffered write, or the allocation for it, passes."""
_LISTED = re.compile(r"^[0-9a-f]+\s+([kr])\s+([\w.]+)\+0x[0-9a-f]+(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Hook:
    """One probe or program."""

    kind: str
    """``kprobe``, ``kretprobe`` or ``BPF``."""
    name: str
    """The program's name; "" for a bare probe."""
    target: str
    """Function or tracepoint; "" where the kernel does not tell (BPF before 6.6, fentry)."""

    @property
    def on_write_path(self) -> bool:
        return WRITE_PATH.match(self.target) is not None


def parse_kprobes(text: str) -> tuple[Hook, ...]:
    """Source: /sys/kernel/debug/kprobes/list (Documentation/trace/kprobes.rst). Probes that are switched off are left out."""
    return tuple(
        Hook("kprobe" if kind == "k" else "kretprobe", "", target)
        for kind, target, notes in _LISTED.findall(text)
        if "DISABLED" not in notes and "GONE" not in notes
    )


def read_kprobes(root: Path = ROOT) -> tuple[Hook, ...] | None:
    """None where debugfs is not mounted or the kernel has no probes. Raises OSError."""
    text = read_text(root / "sys/kernel/debug/kprobes/list")
    return None if text is None else parse_kprobes(text)
