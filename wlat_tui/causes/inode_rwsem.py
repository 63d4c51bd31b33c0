"""i_rwsem: one writer, fallocate or truncate per file at a time."""

from __future__ import annotations

from wlat_tui.causes.cause import Advice, Cause, Family, Signature, frames
from wlat_tui.causes.circumstances import Circumstances


def _advise(_c: Circumstances) -> tuple[Advice, ...]:
    return (
        Advice(
            "Let one thread alone write to the file: no second appender, fallocate, truncate or direct I/O on it meanwhile."
        ),
        Advice("Who has it open?", command="fuser -v FILE"),
    )


CAUSE = Cause(
    name="inode_rwsem",
    title="inode lock",
    family=Family.FILESYSTEM,
    says="Another thread was writing to, allocating in or truncating this very file; only one may at a time.",
    signatures=(
        Signature(
            frames(
                "ext4_buffered_write_iter btrfs_inode_lock xfs_ilock xfs_ilock_iocb xfs_ilock_iocb_for_write "
                "xfs_file_buffered_write "
                "generic_file_write_iter inode_lock ext4_file_write_iter xfs_file_write_iter"
            ),
            beside=frames("rwsem_down_write_slowpath rwsem_down_read_slowpath down_write down_read down_write_nested"),
            without=frames("xfs_buffered_write_iomap_begin generic_perform_write"),
        ),
    ),
    probes=("sched:sched_switch", "lock:contention_begin"),
    chains=True,
    advise=_advise,
)
