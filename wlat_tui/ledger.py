"""What wlat borrowed from the host, on disk: the original of every kernel setting it has changed, oldest change first.

One file per boot, named by the kernel's boot_id: settings do not survive a reboot, so a file of another boot has nothing to
restore and is removed unread. The file is replaced as a whole (write, fsync, rename), never edited, and carries a checksum:
what is there is either whole or, when something else touched it, recognised as damaged and not acted upon.

The directory also holds the lock: one keeper per host, the second finds out who the first is.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wlat_tui.kernel.files import read_line

LEDGER_DIRECTORY = Path("/var/lib/wlat")
LARGEST_BYTES = 1 << 16
_FILE = re.compile(r"originals-([0-9a-f-]{36})\.json")
_UNFINISHED = "originals.new"
_BOOT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEXT = re.compile(r"[ -~]{1,200}")


class LedgerError(Exception):
    """The ledger cannot be used; the message is one sentence, ``fix`` the command that helps (None: there is none)."""

    def __init__(self, reason: str, fix: str | None = None) -> None:
        super().__init__(reason)
        self.fix = fix


class LedgerHeld(LedgerError):
    """Another wlat holds the lock."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting that wlat has changed, or is about to. Values are the kernel's text, stripped."""

    original: str
    """What it was before wlat's first write."""
    ours: str | None
    """What the kernel showed after wlat's last write; anything else found there was written by someone else."""
    writing: str | None = None
    """A write is under way: whatever is there now is ours (set on disk before the write, cleared after it was read back)."""
    asked: bool = True
    """False: not asked for, saved because changing another setting may move it."""

    def is_ours(self, current: str) -> bool:
        return self.writing is not None or current == self.ours


def read_boot_id(root: Path) -> str:
    """The identity of this boot. Source: /proc/sys/kernel/random/boot_id. Raises LedgerError."""
    path = root / "proc/sys/kernel/random/boot_id"
    boot_id = read_line(path)
    if boot_id is None or not _BOOT_ID.fullmatch(boot_id):
        raise LedgerError(f"{path} does not name this boot, so originals could not be told from those of an earlier one")
    return boot_id


class Ledger:
    """The open ledger of this boot; holds the lock until closed.

    Attributes:
        entries: settings by name, in the order of wlat's first write.
        notes: sentences about what was found on opening.
    """

    def __init__(self, directory: Path, boot_id: str) -> None:
        """Create the directory if need be, verify it, take the lock, read what an earlier keeper left.

        Raises:
            LedgerHeld: another keeper has the lock.
            LedgerError: the directory or the file cannot be trusted or read.
        """
        self.directory = directory
        self.name = f"originals-{boot_id}.json"
        self.notes: list[str] = []
        self._directory_fd = _open_directory(directory)
        self._lock_fd = -1
        try:
            with _sentence(directory):
                self._take_lock()
                self._remove_leftovers()
                self.entries: Mapping[str, Entry] = self._load()
        except BaseException:
            self.close()
            raise

    def save(self, entries: Mapping[str, Entry], *, durable: bool) -> None:
        """Replace the ledger; an empty one is removed. On failure the old one stays, on disk and in `entries`.

        Args:
            entries: the whole new content.
            durable: wait until it is on the disk. Needed for a new original; later records need only survive our own
                death, and every fsync is a journal commit that the writer under test may have to wait for.

        Raises:
            OSError: disk full, read-only, or worse.
        """
        if not entries:
            self._unlink(self.name)
        else:
            self._replace(_encode(entries), durable)
        self.entries = dict(entries)

    def close(self) -> None:
        """Give the lock back. Idempotent."""
        for fd in (self._lock_fd, self._directory_fd):
            if fd >= 0:
                os.close(fd)
        self._lock_fd = self._directory_fd = -1

    def _take_lock(self) -> None:
        fd = self._lock_fd = self._open("lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 200, 0).decode("ascii", "replace").strip()
            known = re.fullmatch(r"(\d{1,10}) ([0-9: -]{19} UTC)", holder)
            who = f"pid {known[1]}, since {known[2]}" if known else "its pid is not known"
            raise LedgerHeld(f"another wlat holds this host's settings ({who})") from None
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()} {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC\n".encode(), 0)
        except OSError as error:
            # the lock is held all the same; only the holder's name is missing, e.g. on a full disk
            self.notes.append(f"{self.directory}/lock cannot say who holds it: {error.strerror}")

    def _remove_leftovers(self) -> None:
        for name in os.listdir(self._directory_fd):
            if name == _UNFINISHED:
                self._unlink(name)
            elif _FILE.fullmatch(name) and name != self.name:
                self._unlink(name)
                self.notes.append("an earlier boot left changed settings behind; the reboot has reset them, nothing to restore")

    def _load(self) -> dict[str, Entry]:
        path = self.directory / self.name
        try:
            fd = self._open(self.name, os.O_RDONLY)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise LedgerError(f"{path} cannot be opened: {error.strerror}") from error
        with os.fdopen(fd, "rb") as file:
            _verify(os.fstat(fd), path, stat.S_ISREG)
            data = file.read(LARGEST_BYTES + 1)
        try:
            return _decode(data)
        except ValueError as error:
            reason = f"{path} is damaged ({error}), so wlat cannot tell what to restore and changes nothing"
            raise LedgerError(f"{reason}: check the settings by hand, then remove it", f"sudo rm {path}") from error

    def _replace(self, data: bytes, durable: bool) -> None:
        self._unlink(_UNFINISHED)
        fd = self._open(_UNFINISHED, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(fd)
            os.rename(_UNFINISHED, self.name, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
        except OSError:
            self._unlink(_UNFINISHED)
            raise
        if durable:
            os.fsync(self._directory_fd)

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._directory_fd)

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._directory_fd)
        except FileNotFoundError:
            return


@contextmanager
def _sentence(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise LedgerError(f"{directory}, where originals are saved, cannot be used: {error.strerror}") from error


def _open_directory(directory: Path) -> int:
    with _sentence(directory):
        with suppress(FileExistsError):  # checked below, whatever it is
            os.mkdir(directory, 0o700)
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _verify(os.fstat(fd), directory, stat.S_ISDIR)
    except LedgerError:
        os.close(fd)
        raise
    return fd


def _verify(found: os.stat_result, path: Path, right_kind: Any) -> None:
    """A ledger that anyone else could have written would let them choose what root writes to the kernel. Raises LedgerError."""
    wrong = None
    if not right_kind(found.st_mode):
        wrong = "is not the kind of file wlat puts there"
    elif found.st_uid != os.geteuid():
        wrong = f"belongs to uid {found.st_uid}, not to uid {os.geteuid()}"
    elif found.st_mode & 0o077:
        wrong = f"is open to others (mode {stat.S_IMODE(found.st_mode):04o})"
    if wrong is not None:
        raise LedgerError(f"{path} {wrong}, so what it says is not trusted and nothing is changed", f"sudo rm -r {path}")


def _encode(entries: Mapping[str, Entry]) -> bytes:
    body = json.dumps({name: asdict(entry) for name, entry in entries.items()}).encode("ascii")
    return body + b"\n%08x\n" % zlib.crc32(body)


def _decode(data: bytes) -> dict[str, Entry]:
    """Raises ValueError saying what is wrong; never returns half of it."""
    body, _, check = data.partition(b"\n")
    if len(data) > LARGEST_BYTES:
        raise ValueError("too long")
    if check != b"%08x\n" % zlib.crc32(body):
        raise ValueError("cut off or altered")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("not a list of settings")
    return {name: _entry(name, fields) for name, fields in found.items()}


def _entry(name: str, fields: Any) -> Entry:
    entry = Entry(**fields) if isinstance(fields, dict) and set(fields) == {"original", "ours", "writing", "asked"} else None
    if entry is None or not isinstance(entry.asked, bool):
        raise ValueError(f"{name}: not an entry")
    for value, optional in ((entry.original, False), (entry.ours, True), (entry.writing, True)):
        if not (optional if value is None else isinstance(value, str) and _TEXT.fullmatch(value)):
            raise ValueError(f"{name}: not a value")
    return entry
