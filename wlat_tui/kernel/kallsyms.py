"""Kernel symbols by address. Source: /proc/kallsyms; it shows zeros to whoever may not see addresses (kernel.kptr_restrict)."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from wlat_tui.kernel import ROOT

_BLOCK_BYTES = 1 << 18
"""Parsed at a time, so that another thread of this process waits a few milliseconds at most."""
_CODE, _DATA = frozenset("tTwW"), frozenset("bBdDvV")
"""What can run, and what can be written and so can be a lock; the rest (r, R: constants) is never asked for."""
_PADDING = b"__pfx_"
"""The unused bytes before every function have a name of their own since 6.2: half of all symbols (scripts/kallsyms.c)."""
_PAGE_NAMES = 128
_FARTHEST_BYTES = 1 << 20
"""No function is longer; an address farther behind the last symbol belongs to something that has none."""


class Naming(Protocol):
    """Whatever can name addresses."""

    def function(self, address: int) -> str: ...

    def variable(self, address: int) -> str | None: ...


class Symbols:
    """Names by address, packed: as objects 120,000 of them took 16 MB of the screen's process, so it is less than 2."""

    def __init__(self) -> None:
        self._addresses = array("Q")
        self._base = 0
        """Added to each of ``_addresses``, once they are sorted."""
        self._begins = array("I")
        """Where the name of each begins in ``_names``; one more where the last one ends. Empty once they are sorted."""
        self._names = bytearray()
        self._known = bytearray()
        self._pages: list[bytes] = []
        """The names by order of address, `_PAGE_NAMES` in each, compressed."""
        self._told: dict[int, str] = {}
        """Names asked for, once each: a stall has hundreds of them, always of the same few functions."""

    def add(self, address: int, name: bytes, well_known: bool) -> None:
        """Take one in, in any order; `sort` comes after the last one."""
        self._addresses.append(address)
        self._begins.append(len(self._names))
        self._names += name
        self._known.append(well_known)

    def sort(self) -> None:
        """By address; of several names for one the well-known one stays (the last of them), else the first."""
        self._begins.append(len(self._names))
        chosen = array("I")
        for i in sorted(range(len(self._addresses)), key=self._addresses.__getitem__):
            if not chosen or self._addresses[chosen[-1]] != self._addresses[i]:
                chosen.append(i)
            elif self._known[i]:
                chosen[-1] = i
        for first in range(0, len(chosen), _PAGE_NAMES):
            page = chosen[first : first + _PAGE_NAMES]
            self._pages.append(zlib.compress(b"\n".join(self._names[self._begins[i] : self._begins[i + 1]] for i in page)))
        if chosen:
            self._base = self._addresses[chosen[0]]
            # a kernel and its modules lie within 4 GiB of each other, but for the CPUs' own variables on some
            near = self._addresses[chosen[-1]] - self._base < 1 << 32
            self._addresses = array("I" if near else "Q", [self._addresses[i] - self._base for i in chosen])
        self._begins, self._names, self._known = array("I"), bytearray(), bytearray()

    def __len__(self) -> int:
        return len(self._addresses)

    def near(self, address: int) -> tuple[str, int] | None:
        """Name of the last symbol at or before *address*, and how many bytes before; None when there is none close by."""
        offset = address - self._base
        at = bisect_right(self._addresses, offset) - 1
        if at < 0 or offset - self._addresses[at] > _FARTHEST_BYTES:
            return None
        if (name := self._told.get(at)) is None:
            page = zlib.decompress(self._pages[at // _PAGE_NAMES]).split(b"\n")
            name = self._told[at] = page[at % _PAGE_NAMES].decode("utf-8", "replace")
        return name, offset - self._addresses[at]


class Kallsyms:
    """Functions and variables of the running kernel and its modules."""

    def __init__(self, text: Iterable[bytes]) -> None:
        self._code, self._data = Symbols(), Symbols()
        for line in text:
            words = line.split(None, 3)
            try:
                address, kind, name = int(words[0], 16), words[1].decode("ascii"), words[2]
            except (ValueError, IndexError):
                continue
            if address and kind in _CODE and not name.startswith(_PADDING):
                # of several names for one address the global one is the one people know
                self._code.add(address, name, kind in "TW")
            elif address and kind in _DATA:
                self._data.add(address, name, True)
        self._code.sort()
        self._data.sort()
        self.hidden = not self._code
        """No addresses were shown to this user."""

    def function(self, address: int) -> str:
        """Name of the function around a (return) address; ``0x...`` where none is known."""
        found = self._code.near(address)
        return found[0] if found else f"{address:#x}"

    def variable(self, address: int) -> str | None:
        """``name`` or ``name+0x40`` of a variable in the kernel image; None for what was allocated later."""
        found = self._data.near(address)
        if found is None or found[1] > 4096:
            return None
        return found[0] if not found[1] else f"{found[0]}+{found[1]:#x}"


def read_kallsyms(root: Path = ROOT) -> Kallsyms:
    """Read and sort them all: 100,000 symbols, a fifth of a second.

    Raises:
        OSError: it cannot be read.
    """
    with open(root / "proc/kallsyms", "rb", buffering=_BLOCK_BYTES) as lines:
        return Kallsyms(lines)
