"""Reading a recording: which frames, from when, and what held at a moment. Constant memory however long it is."""

from __future__ import annotations

import json
import os
import sqlite3
import struct
import tempfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

from wlat_tui.frame import Frame
from wlat_tui.sessions.blocks import read_head, unpack_block
from wlat_tui.sessions.columns import Damaged
from wlat_tui.sessions.digests import Digester, digest_rows
from wlat_tui.sessions.migrations import migrate
from wlat_tui.sessions.schema import ADDED, APPLICATION_ID, DIGESTS, MAJOR, SECTIONS, TABLES, VERSION, SessionError

_SQLITE_MAGIC = b"SQLite format 3\0"
_HEAD_BYTES = 100
_SECTIONS_HELD = 64
_UNPACKED_BLOCKS = 4
"""Held unpacked: two readers at different places do not take them from each other."""
_TEMPORARY = f"PRAGMA query_only = OFF; {DIGESTS.replace('CREATE TABLE', 'CREATE TEMP TABLE')} PRAGMA query_only = ON;"
"""What a recording older than 1.2 does not have: empty until `add_digests`; the file itself is not touched."""
_Result = TypeVar("_Result")


class Recording:
    """A ``*.wlat`` file, open for reading; also one that is still being recorded or was never closed.

    Raises (here and in every method):
        SessionError: it is missing, foreign, damaged or of a version that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._begin(path)
        self.version = read_version(path)
        """1000 * major + minor."""
        if self.version // 1000 > MAJOR:
            raise SessionError(f"{path} was recorded by a newer wlat (format {self.version // 1000}): install that to read it")
        self._db = self._migrated() if self.version // 1000 < MAJOR else _open(path, self.notices)
        try:
            self.facts: dict[str, Any] = self._ask(self._read_facts)
            """The table ``header``."""
            self.has_classes = any(row[1] == "worst_wake_class" for row in self.rows("PRAGMA table_info(frame)"))
            """Whether the table ``frame`` says of which class a tick's worst writes were (since 1.2)."""
            if self.row("SELECT name FROM sqlite_schema WHERE name = 'digest' AND type = 'table'") is None:
                self._ask(lambda: self._db.executescript(_TEMPORARY))
        except SessionError:
            self.close()
            raise

    def _begin(self, path: Path) -> None:
        self.path = path
        self.notices: list[str] = []
        """What the user should know about the file, in sentences."""
        self._unpacked: OrderedDict[bytes, list[Frame]] = OrderedDict()
        self._sections: dict[tuple[str, int], Any] = {}
        self._copy: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def copied(cls, database: sqlite3.Connection, name: str) -> Self:
        """A recording that stands in memory; closed with it."""
        recording = cls.__new__(cls)
        recording._begin(Path(name))
        recording.version = VERSION
        recording._db = database
        recording.has_classes = True
        recording.facts = recording._ask(recording._read_facts)
        return recording

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_digests(self, digested: Callable[[Iterable[Frame]], Iterable[Frame]] = iter) -> None:
        """Add up what has not been: a recording made by an older wlat is read once, a newer one is not.

        Args:
            digested: gets the frames that are read and yields them again (a progress bar).
        """
        first = self.row("SELECT name FROM sqlite_temp_schema WHERE name = 'digest'")
        if first is None or self.digested:
            return
        digester, open_block, began = Digester(), list[Frame](), 0
        self._db.execute("PRAGMA query_only = OFF")
        for number, frame in enumerate(digested(self.frames())):
            open_block.append(frame)
            if self.block_before(number + 1) == number + 1:
                self._add_digest(digester, began, open_block)
                open_block, began = [], number + 1
        self._db.execute("PRAGMA query_only = ON")

    def _add_digest(self, digester: Digester, first: int, frames: list[Frame]) -> None:
        for table, row in digest_rows(first, digester.add(first, frames), digester.total()):
            self._db.execute(f"INSERT INTO temp.{table} VALUES ({','.join('?' * len(row))})", row)
        digester.finish()

    def close(self) -> None:
        """Idempotent."""
        self._db.close()
        if self._copy is not None:
            self._copy.cleanup()

    @property
    def closed(self) -> bool:
        """Whether the recorder ended in order."""
        return "ended" in self.facts

    @property
    def span_ns(self) -> tuple[int, int] | None:
        """Begin of the first and end of the last frame; None when there is none."""
        begin_ns = self.row("SELECT begin_ns FROM frame ORDER BY number LIMIT 1")
        end_ns = self.row("SELECT end_ns FROM block ORDER BY first DESC LIMIT 1")
        return None if begin_ns is None or end_ns is None else (int(begin_ns[0]), int(end_ns[0]))

    @property
    def start(self) -> int:
        """Number of the first frame; above 0 where old ones were rolled up (`keeping.py`)."""
        row = self.row("SELECT number FROM frame ORDER BY number LIMIT 1")
        return 0 if row is None else int(row[0])

    def __len__(self) -> int:
        """Number of frames ever recorded: the number after the last one's."""
        last = self.row("SELECT first + frames FROM block ORDER BY first DESC LIMIT 1")
        return 0 if last is None else int(last[0])

    def holds(self, table: str) -> bool:
        """Whether the file has this table of `schema.TABLES`: an older one may not."""
        return self.row("SELECT 1 FROM sqlite_schema WHERE name = ? AND type = 'table'", (table,)) is not None

    def rows(self, sql: str, arguments: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a query over the tables of `schema.py`."""
        cursor = self._ask(lambda: self._db.execute(sql, arguments))
        while (row := self._ask(cursor.fetchone)) is not None:
            yield row

    def row(self, sql: str, arguments: Sequence[object] = ()) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        return next(self.rows(sql, arguments), None)

    def newest(self, sql: str, arguments: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query that has the newest first, turned round."""
        return list(self.rows(sql, arguments))[::-1]

    def number_at(self, at_ns: int) -> int:
        """Number of the frame that covers this moment, else of the next one; the number of frames when it is after the end."""
        found = self.row("SELECT first FROM block WHERE end_ns > ? ORDER BY end_ns LIMIT 1", (at_ns,))
        if found is None:
            return len(self)
        found = max(found[0], self.start), 0
        row = self.row("SELECT number FROM frame WHERE number >= ? AND end_ns > ? ORDER BY number LIMIT 1", (found[0], at_ns))
        if row is None:
            raise self.damaged(f"there is no row for frame {found[0]}")
        return int(row[0])

    def block_before(self, number: int) -> int:
        """Number of the first frame in the block that holds this one."""
        row = self.row("SELECT first FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1", (number,))
        return 0 if row is None else int(row[0])

    @property
    def digested(self) -> int:
        """All frames before this number have been added up (`digests.py`)."""
        row = self.row("SELECT first + frames FROM digest ORDER BY first DESC LIMIT 1")
        return 0 if row is None else int(row[0])

    def frames(self, first: int = 0, end: int | None = None) -> Iterator[Frame]:
        """Frames by number, from *first* to before *end*, a few blocks in memory at a time."""
        number = max(first, self.start)
        while end is None or number < end:
            # one query per block: a recording that goes on puts small blocks together behind our back
            start, frames = self._block(number)
            if number - start >= len(frames):
                self._check_end(start + len(frames))
                return
            for frame in frames[number - start : None if end is None else end - start]:
                yield frame
                number += 1

    def _check_end(self, end: int) -> None:
        """Whether this is the end: SQLite does not notice every page that went missing."""
        if self.row("SELECT first FROM block WHERE first > ? LIMIT 1", (end - 1,)) is not None or end < self.facts.get(
            "frames", 0
        ):
            raise self.damaged(f"frame {end} is missing")

    def known_at(self, number: int) -> Frame:
        """The frame of this number, completed: sections it does not have are the last ones before it.

        Raises:
            IndexError: there is no such frame.
        """
        start, frames = self._block(number)
        if not 0 <= number - start < len(frames):
            raise IndexError(f"{self.path} has no frame {number}")
        frame = frames[number - start]
        carried, values, far = self._carried(start), dict[str, Any](), dict[str, int]()
        for name in SECTIONS:
            if getattr(frame, name) is not None:
                continue
            held = next((f for f in reversed(frames[: number - start]) if getattr(f, name) is not None), None)
            if held is not None:
                values[name] = getattr(held, name)
            elif name in carried:
                far[name] = carried[name]
        values |= self._far_sections(far)
        return replace(frame, **{name: value for name, value in values.items() if value is not None})

    def _far_sections(self, numbers: Mapping[str, int]) -> dict[str, Any]:
        """Sections of earlier frames, by their numbers. Each block is unpacked once, whatever is wanted of it, and many
        moments share the last ones (the host is told once)."""
        blocks = defaultdict[int, dict[str, int]](dict)
        for name, number in numbers.items():
            if (name, number) not in self._sections:
                blocks[self.block_before(number)][name] = number
        for missing in blocks.values():
            origin, older = self._block(max(missing.values()), frozenset(missing))
            for name, number in missing.items():
                if not 0 <= number - origin < len(older):
                    raise self.damaged(f"frame {number} is missing")
                self._sections[name, number] = getattr(older[number - origin], name)
        found = {name: self._sections[name, number] for name, number in numbers.items()}
        while len(self._sections) > _SECTIONS_HELD:
            del self._sections[next(iter(self._sections))]
        return found

    def _carried(self, first: int) -> dict[str, int]:
        row = self.row("SELECT carried FROM block WHERE first = ?", (first,))
        try:
            carried = json.loads(row[0]) if row else {}
            return {name: int(number) for name, number in carried.items() if name in SECTIONS and int(number) < first}
        except (ValueError, TypeError, AttributeError) as error:
            raise self.damaged(error) from error

    def _block(self, number: int, only: frozenset[str] | None = None) -> tuple[int, list[Frame]]:
        """(number of its first frame, frames) of the block that holds this frame, or of the last one."""
        row = self.row("SELECT first, data FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1", (number,))
        if row is None:
            return number, []
        if (held := self._unpacked.get(row[1])) is not None:
            self._unpacked.move_to_end(row[1])
            return int(row[0]), held
        try:
            data = bytes(row[1])
            if read_head(data).first != row[0]:
                raise Damaged("a block stands where another one should")
            frames = unpack_block(data, only)
        except (Damaged, TypeError) as error:
            raise self.damaged(error) from error
        if only is None:
            self._unpacked[data] = frames
            while len(self._unpacked) > _UNPACKED_BLOCKS:
                self._unpacked.popitem(last=False)
        return int(row[0]), frames

    def _read_facts(self) -> dict[str, Any]:
        facts = {key: json.loads(value) for key, value in self._db.execute("SELECT key, value FROM header")}
        if not isinstance(facts.get("frames", 0), int):
            raise ValueError("the number of frames is none")
        return facts

    def _ask(self, question: Callable[[], _Result]) -> _Result:
        """sqlite3 says with many exceptions that the bytes are not what they should be."""
        try:
            return question()
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise self.damaged(error) from error

    def damaged(self, error: Exception | str) -> SessionError:
        return SessionError(f"{self.path} is damaged ({error}): 'wlat repair' saves what can be saved")

    def _migrated(self) -> sqlite3.Connection:
        """A copy, brought to this version; the file itself stays as it is."""
        self._copy = tempfile.TemporaryDirectory(prefix="wlat-")
        source = _open(self.path, self.notices)
        copy = sqlite3.connect(Path(self._copy.name) / "copy.wlat", isolation_level=None)
        try:
            source.backup(copy)
            migrate(copy)
        except (sqlite3.Error, LookupError) as error:
            copy.close()
            self._copy.cleanup()
            raise SessionError(f"{self.path} is of format {self.version // 1000}, which cannot be read: {error}") from error
        finally:
            source.close()
        return copy


def read_version(path: Path) -> int:
    """The format of a recording, from its first bytes.

    Raises:
        SessionError: it cannot be read or is not one.
    """
    try:
        # not blocking: somebody may name a pipe
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise SessionError(f"{path} cannot be read: {error.strerror}") from error
    if not head:
        raise SessionError(f"{path} is empty: nothing was recorded into it")
    if len(head) < _HEAD_BYTES or not head.startswith(_SQLITE_MAGIC):
        raise SessionError(
            f"{path} is not a recording of wlat, or its beginning is damaged ('wlat repair' saves what can be saved)"
        )
    version, application = struct.unpack_from(">I4xI", head, 60)
    if application != APPLICATION_ID:
        raise SessionError(f"{path} is an SQLite database, but not a recording of wlat")
    return int(version)


def _open(path: Path, notices: list[str]) -> sqlite3.Connection:
    """Read-only; a file in a directory we may not write to cannot have its -wal read, and is opened without."""
    place = f"file:{quote(str(path.absolute()))}?mode=ro"
    wal = Path(f"{path}-wal")
    try:
        has_wal = wal.exists() and wal.stat().st_size > 0
        try:
            return _checked(place)
        except sqlite3.OperationalError:
            database = _checked(f"{place}&immutable=1")
            if has_wal:
                notices.append(f"{wal.name} cannot be used here, so the end of the recording may be missing")
            return database
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        raise SessionError(f"{path} is damaged ({error}): 'wlat repair' saves what can be saved") from error


def _checked(place: str) -> sqlite3.Connection:
    database = sqlite3.connect(place, uri=True, isolation_level=None)
    try:
        # the file may come from anybody: no functions out of its schema, no trust in its pages
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
            database.execute(f"PRAGMA {pragma}")
        kinds = dict(database.execute("SELECT name, type FROM sqlite_schema WHERE sql NOT LIKE 'CREATE VIRTUAL%'"))
        for table in ("header", "block", *TABLES):
            if kinds.get(table, None if table not in ADDED else "table") != "table":
                # a view in a table's place could compute for ever
                raise sqlite3.DatabaseError(f"it has no table {table}")
    except BaseException:
        database.close()
        raise
    return database
