"""Kernel settings as the keeper sees them: a number, one word of several, or a ratio/bytes pair.

These classes run as root. Paths are fixed here and never come from anyone; values are matched whole before they are used.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

from wlat_tui.kernel.files import read_line
from wlat_tui.mitigations import Knob, Unavailable


def put(path: Path, text: str) -> None:
    """Write a kernel file in one write(). Raises OSError naming the file."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.write(fd, f"{text}\n".encode("ascii"))
        finally:
            os.close(fd)
    except OSError as error:
        error.filename = str(path)
        raise


class SysctlKnob:
    """A whole number in one file of /proc/sys."""

    touches: tuple[str, ...] = ()
    shown_only: str | None = None

    def __init__(self, name: str, low: int, high: int, *, advice: str = "") -> None:
        """``low`` .. ``high`` is the safe range, inclusive; ``advice`` says why it ends there."""
        self.name = name
        self.title = f"vm.{name}"
        self.low = low
        self.high = high
        self.advice = advice

    def path(self, root: Path) -> Path:
        return root / "proc/sys/vm" / self.name

    def paths(self, root: Path) -> tuple[Path, ...]:
        return (self.path(root),)

    def read(self, root: Path) -> str | None:
        return read_line(self.path(root))

    def well_formed(self, value: str) -> bool:
        return re.fullmatch(r"0|[1-9][0-9]{0,9}", value, re.ASCII) is not None

    def refuse(self, value: str, root: Path, original: str) -> str | None:
        if not self.well_formed(value):
            return f"{self.title} takes a whole number from {self.low} to {self.high}"
        if not self.low <= int(value) <= self.high:
            why = self.advice and f": {self.advice}"
            return f"{self.title}={value} is outside {self.low} to {self.high}, the range wlat keeps to{why}"
        return None

    def steps(self, value: str, root: Path) -> tuple[str, ...]:
        return (value,)

    def write(self, value: str, root: Path) -> None:
        put(self.path(root), value)


class WordKnob:
    """One word out of those the file lists, the current one in brackets: ``always [madvise] never``."""

    shown_only: str | None = None

    def __init__(self, name: str, file: str, words: tuple[str, ...], touches: tuple[str, ...] = ()) -> None:
        self.name = name
        self.title = f"/{file}"
        self.words = words
        self.touches = touches
        self._file = file

    def paths(self, root: Path) -> tuple[Path, ...]:
        return (root / self._file,)

    def read(self, root: Path) -> str | None:
        text = read_line(root / self._file)
        if text is None:
            return None
        chosen = re.search(r"\[([^][]*)\]", text)
        return chosen[1] if chosen else text

    def offered(self, root: Path) -> tuple[str, ...]:
        """The words this kernel knows (``defer+madvise`` came with 4.11)."""
        listed = (read_line(root / self._file) or "").replace("[", " ").replace("]", " ").split()
        return tuple(word for word in self.words if word in listed)

    def well_formed(self, value: str) -> bool:
        return value in self.words

    def refuse(self, value: str, root: Path, original: str) -> str | None:
        if value not in self.words:
            return f"{self.title} takes one of {', '.join(self.words)}"
        offered = self.offered(root)
        # a plain word without brackets is how the file reads after someone wrote it on a kernel that prints no list
        if "[" in (read_line(root / self._file) or "") and value not in offered:
            return f"{self.title} of this kernel does not know {value}, only {', '.join(offered)}"
        return None

    def steps(self, value: str, root: Path) -> tuple[str, ...]:
        return (value,)

    def write(self, value: str, root: Path) -> None:
        put(root / self._file, value)


class PairKnob:
    """Two files that are one setting: writing ``X_bytes`` makes the kernel zero ``X_ratio`` and the reverse.

    Values: ``ratio 20`` or ``bytes 268435456``. Source: mm/page-writeback.c dirty_ratio_handler and its three siblings.
    """

    touches: tuple[str, ...] = ()
    shown_only: str | None = None

    def __init__(self, name: str, stem: str, refuse: Callable[[str, int, Path], str | None]) -> None:
        """``refuse`` judges (unit, number, root)."""
        self.name = name
        self.stem = stem
        self.title = f"vm.{stem}_ratio/bytes"
        self._refuse = refuse

    def path(self, unit: str, root: Path) -> Path:
        return root / f"proc/sys/vm/{self.stem}_{unit}"

    def paths(self, root: Path) -> tuple[Path, ...]:
        return self.path("ratio", root), self.path("bytes", root)

    def read(self, root: Path) -> str | None:
        ratio, size = (read_line(path) for path in self.paths(root))
        if ratio is None or size is None:
            return None
        return f"ratio {ratio}" if size == "0" else f"bytes {size}"

    def well_formed(self, value: str) -> bool:
        return re.fullmatch(r"ratio (0|[1-9][0-9]{0,2})|bytes [1-9][0-9]{0,14}", value, re.ASCII) is not None

    def refuse(self, value: str, root: Path, original: str) -> str | None:
        if not self.well_formed(value):
            return f"{self.title} takes a value such as 'ratio 10' (per cent of available memory) or 'bytes 268435456'"
        unit, number = value.split()
        return self._refuse(unit, int(number), root)

    def steps(self, value: str, root: Path) -> tuple[str, ...]:
        return (value,)

    def write(self, value: str, root: Path) -> None:
        unit, number = value.split()
        if value == "ratio 0" and read_line(self.path("bytes", root)) != "0":
            # dirty_ratio_handler zeroes the partner only when the number changes, and it is 0 already
            put(self.path(unit, root), "1")
        put(self.path(unit, root), number)


def blocked(knob: Knob, root: Path) -> Unavailable | None:
    """Why this process cannot change the knob here; None: it can. Opening for writing changes nothing in proc or sysfs."""
    if knob.shown_only is not None:
        return Unavailable(knob.shown_only, None)
    try:
        if knob.read(root) is None:
            return Unavailable(f"this kernel has no {knob.title}", None)
        for path in knob.paths(root):
            check_writable(path)
    except OSError as error:
        return Unavailable(f"{knob.title}: {writable_reason(error)}", None)
    return None


def check_writable(path: Path) -> None:
    """Raises OSError when this process may not write the file."""
    os.close(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC))


def writable_reason(error: OSError) -> str:
    """What an OSError on a kernel file means, in words."""
    if error.errno == errno.EROFS:
        return f"{error.filename} is mounted read-only, as in most containers; run wlat on the host itself"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{error.filename} may only be written by root of the host (capabilities do not help: the kernel looks at the uid)"
        )
    return f"{error.filename}: {error.strerror}"
