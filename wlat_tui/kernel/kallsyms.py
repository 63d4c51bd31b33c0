"""Kernel symbols by address. Source: /proc/kallsyms; it shows zeros to whoever may not see addresses (kernel.kptr_restrict)."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from wlat_tui.kernel import ROOT

_BLOCK_BYTES = 1 << 18
"""Parsed at a time, so that another thread of this process waits a few milliseconds at most."""
_CODE, _DATA = frozenset("tTwW"), frozenset("bBdDrRvV")
_FARTHEST_BYTES = 1 << 20
"""No function is longer; an address farther behind the last symbol belongs to something that has none."""


class Naming(Protocol):
    """Whatever can name addresses."""

    def function(self, address: int) -> str: ...

    def variable(self, address: int) -> str | None: ...


class Symbols:
    """Sorted symbols; each name is kept once, as bytes."""

    def __init__(self, symbols: Iterable[tuple[int, bytes]]) -> None:
        pairs = sorted(symbols)
        self.addresses = array("Q", [address for address, _ in pairs])
        self._names = [name for _, name in pairs]

    def __len__(self) -> int:
        return len(self._names)

    def near(self, address: int) -> tuple[str, int] | None:
        """Name of the last symbol at or before *address*, and how many bytes before; None when there is none close by."""
        at = bisect_right(self.addresses, address) - 1
        if at < 0 or address - self.addresses[at] > _FARTHEST_BYTES:
            return None
        return self._names[at].decode("utf-8", "replace"), address - self.addresses[at]


class Kallsyms:
    """Functions and variables of the running kernel and its modules."""

    def __init__(self, text: Iterable[bytes]) -> None:
        code: dict[int, bytes] = {}
        data: dict[int, bytes] = {}
        for line in text:
            words = line.split(None, 3)
            try:
                address, kind, name = int(words[0], 16), words[1].decode("ascii"), words[2]
            except (ValueError, IndexError):
                continue
            if address and kind in _CODE:
                # of several names for one address the global one is the one people know
                if kind in "TW" or address not in code:
                    code[address] = name
            elif address and kind in _DATA:
                data[address] = name
        self._code, self._data = Symbols(code.items()), Symbols(data.items())
        self.hidden = not code
        """No addresses were shown to this user."""

    def addresses(self) -> Sequence[int]:
        """Where functions begin, ascending."""
        return self._code.addresses

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
