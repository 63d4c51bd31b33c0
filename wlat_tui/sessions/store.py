"""Writing a recording: frames in, one transaction each time, always a file that can be opened."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from wlat_tui.frame import Frame, KnobState
from wlat_tui.sessions.blocks import pack_block
from wlat_tui.sessions.digests import TOTAL_EVERY, Digester, digest_rows
from wlat_tui.sessions.keeping import forget_before
from wlat_tui.sessions.overlaps import count_overlaps
from wlat_tui.sessions.rows import Row, rows_of
from wlat_tui.sessions.schema import APPLICATION_ID, SCHEMA, SECTIONS, VERSION, SessionError
from wlat_tui.sessions.thrift import Thrift

BLOCK_FRAMES = 60
"""Frames of a finished block: a seek unpacks one, so it must not be long; shorter ones pack worse (128: 2 % smaller). Whole
seconds at the default tick, and below 12.8 s (a level of `wlat_tui.model.series`)."""

IN_MEMORY_LEVEL = 5
"""Of zlib."""

NODE_ROWS_NS = 1_000_000_000
"""The table ``node`` has rows of the first frame that begins in each of these."""

WAL_PAGES = 500
"""The -wal is folded in when it is that long: every half minute or so at the default tick (13 pages a second)."""
RESERVED_PAGES = WAL_PAGES + 100
"""With room for the transaction that makes it so long."""


class Store:
    """A recording being written. Not for several threads at once.

    Appended frames first go into a small quick block each time; when `BLOCK_FRAMES` have come together these are replaced, in
    the same transaction, by one well-packed block. So nothing is ever only in memory for longer than between two appends, and
    the file is small all the same. A recording in memory does without the quick blocks until somebody wants a copy.

    Args:
        path: must not exist yet; made with mode 0600. None: in memory only.
        facts: for the table ``header``.
        durable: every append is on the disk when it returns: a power cut takes nothing of it. For what can be made again, no.
        thrift: says what a finished block keeps of its frames; None: all.

    Raises:
        SessionError: the file cannot be made.
    """

    def __init__(
        self,
        path: Path | None,
        facts: Mapping[str, object],
        *,
        durable: bool,
        thrift: Thrift | None = None,
    ) -> None:
        self.path = path
        self.frames = 0
        """Written so far."""
        self._open: list[Frame] = []
        self._carried: dict[str, int] = {}
        self._open_carried: dict[str, int] = {}
        self._knobs: Mapping[str, KnobState] = {}
        self._thrift = thrift
        self._second = -1
        self._digester = Digester()
        self._blocks = 0
        if path is not None:
            _create(path)
        try:
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {VERSION}")
            self._db.executescript(f"BEGIN; {SCHEMA}; COMMIT;")
            self.put_facts(facts)
            # only now: a file without its -wal must at least be known for what it is
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            if durable and path is not None:
                _reserve_wal(self._db, path)
            self._used_bytes = self.used_bytes
        except BaseException as error:  # Ctrl-C as well: half a file would be there for ever
            for side in ("", "-wal", "-shm") if path is not None else ():
                Path(f"{path}{side}").unlink(missing_ok=True)
            if isinstance(error, sqlite3.Error):
                raise SessionError(f"{path} cannot be made: {error}") from error
            raise

    def put_facts(self, facts: Mapping[str, object]) -> None:
        """Set rows of the table ``header``. Raises sqlite3.Error."""
        _put_facts(self._db, facts)

    def append(self, frames: Sequence[Frame]) -> None:
        """Write frames, all or none.

        Raises:
            sqlite3.Error: they could not be written (disk full, ...); nothing has changed and it can be tried again.
        """
        for start in range(0, len(frames), BLOCK_FRAMES):
            self._append(frames[start : start + BLOCK_FRAMES])

    def _append(self, frames: Sequence[Frame]) -> None:
        if not frames:
            return
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        carried, knobs = dict(self._carried), self._knobs
        second = self._second
        for number, frame in enumerate(frames, self.frames):
            begun, second = frame.begin_ns // NODE_ROWS_NS != second, frame.begin_ns // NODE_ROWS_NS
            for table, row in rows_of(number, frame, knobs):
                if begun or table != "node":
                    rows[table].append(row)
            knobs = frame.knobs if frame.knobs is not None else knobs
            carried.update(dict.fromkeys((name for name in SECTIONS if getattr(frame, name) is not None), number))
        together = [*self._open, *frames]
        first = self.frames - len(self._open)
        whole = len(together) >= BLOCK_FRAMES
        self._db.execute("BEGIN IMMEDIATE")
        try:
            (suspects,) = self._db.execute("SELECT coalesce(max(rowid), 0) FROM suspect").fetchone()
            for table, values in rows.items():
                self._db.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(values[0]))})", values)
            if "suspect" in rows or "stall" in rows:
                count_overlaps(self._db, self.frames, suspects)
            if whole:
                self._finish_block(first, together)
            elif self.path is not None:
                self._put_block(self.frames, frames, self._carried, small=False)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.frames += len(frames)
        self._carried, self._knobs, self._second = carried, knobs, second
        self._open = [] if whole else together
        if whole:
            self._open_carried = carried
            self._blocks += 1
            self._digester.finish()
            if self._thrift is not None:
                used_bytes = self.used_bytes
                self._thrift.grew(used_bytes - self._used_bytes, together[-1].end_ns - together[0].begin_ns)
                self._used_bytes = used_bytes

    def _finish_block(self, first: int, frames: Sequence[Frame]) -> None:
        self._db.execute("DELETE FROM block WHERE first >= ?", (first,))
        frames = frames if self._thrift is None else self._thrift.coarsened(frames)
        # LZMA takes eight times as long for a fifth less: worth it for a file, not for half an hour in memory
        self._put_block(first, frames, self._open_carried, small=self.path is not None, level=IN_MEMORY_LEVEL)
        if self._thrift is not None:
            self.put_facts({"group": self._thrift.group})
        total = (self._blocks + 1) % TOTAL_EVERY == 0
        for table, row in digest_rows(first, self._digester.add(first, frames), self._digester.total() if total else None):
            self._db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)

    def _put_block(
        self, first: int, frames: Sequence[Frame], carried: Mapping[str, int], *, small: bool, level: int = 1
    ) -> None:
        data = pack_block(first, frames, small=small, level=level)
        row = (first, len(frames), frames[0].begin_ns, frames[-1].end_ns, json.dumps(carried), data)
        self._db.execute("INSERT INTO block VALUES (?, ?, ?, ?, ?, ?)", row)

    def copy_to(self, other: sqlite3.Connection) -> None:
        """Everything appended so far, as a closed recording. Raises sqlite3.Error."""
        if self.path is None and self._open:
            first = self.frames - len(self._open)
            self._db.execute("DELETE FROM block WHERE first >= ?", (first,))
            self._put_block(first, self._open, self._open_carried, small=False)
        self._db.backup(other)
        other.execute("PRAGMA journal_mode = DELETE")

    def save(self, path: Path, facts: Mapping[str, object]) -> None:
        """The same as a new file, with these rows in its ``header``.

        Raises:
            SessionError: it cannot be made.
            sqlite3.Error: it cannot be written; nothing is left of it.
        """
        _create(path)
        try:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                self.copy_to(other)
                _put_facts(other, facts)
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    @property
    def used_bytes(self) -> int:
        """Of the file, without pages that are free again."""
        (pages,), (free,), (size,) = (
            self._db.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        )
        return (int(pages) - int(free)) * int(size)

    @property
    def begin_ns(self) -> int | None:
        """When the first frame that is still whole began."""
        row = self._db.execute("SELECT begin_ns FROM frame ORDER BY number LIMIT 1").fetchone()
        return None if row is None else int(row[0])

    def forget_before(self, at_ns: int) -> None:
        """Drop the frames of blocks that ended before this moment; what they added up to, stalls and marks stay (`keeping.py`).

        Raises:
            sqlite3.Error: nothing was dropped.
        """
        forget_before(self._db, at_ns)
        self._used_bytes = self.used_bytes

    def close(self, facts: Mapping[str, object] | None = None) -> str | None:
        """Pack what is still open, fold the -wal in and leave one plain file; the file stays readable when that fails.

        Returns:
            Why it is not one plain file, in one sentence, or None.
        """
        if self.path is None:
            self._db.close()
            return None
        try:
            self._db.execute("BEGIN IMMEDIATE")
            if self._open:
                self._finish_block(self.frames - len(self._open), self._open)
            self.put_facts({**(facts or {}), "frames": self.frames})
            self._db.execute("COMMIT")
            self._open = []
            self._db.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            name = self.path.name
            return f"{name} could not be closed as one file ({error}): keep {name}-wal beside it"
        finally:
            self._db.close()
        return None


def _put_facts(db: sqlite3.Connection, facts: Mapping[str, object]) -> None:
    rows = [(key, json.dumps(value)) for key, value in facts.items()]
    db.executemany("INSERT OR REPLACE INTO header VALUES (?, ?)", rows)


def _reserve_wal(db: sqlite3.Connection, path: Path) -> None:
    """Give the -wal its blocks on the disk now, so that later appends overwrite them.

    A file that grows makes the file system's journal commit with every fdatasync, and a commit is what stalls a writer on the
    same disk. Overwritten in place, only the data goes to the disk: the same commits as without any fdatasync (ext4, xfs).
    A disk that is nearly full is left alone, at the price of those commits.
    """
    (size,), (cached,) = (db.execute(f"PRAGMA {name}").fetchone() for name in ("page_size", "cache_size"))
    disk = os.statvfs(path)
    if disk.f_bavail * disk.f_frsize < 10 * RESERVED_PAGES * size:
        return
    db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
    db.execute("PRAGMA cache_size = 16")  # pages: the rest spills into the -wal, which keeps its length when it is rolled back
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO header VALUES ('', zeroblob(?))", (RESERVED_PAGES * size,))
    db.execute("ROLLBACK")
    db.execute(f"PRAGMA cache_size = {cached}")


def _create(path: Path) -> None:
    """An empty file that was not there before. SQLite gives its -wal the same mode."""
    for side in ("-wal", "-journal"):
        if Path(f"{path}{side}").exists():
            raise SessionError(f"{path}{side} exists and belongs to another recording: choose another name")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    except FileExistsError as error:
        raise SessionError(f"{path} exists and is not overwritten: choose another name") from error
    except OSError as error:
        raise SessionError(f"{path} cannot be made: {error.strerror}") from error
