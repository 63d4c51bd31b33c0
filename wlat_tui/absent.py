"""Imports without what nothing on the screen uses, so that it takes neither room nor time of every start.

    with absent("ssl"):
        import asyncio

Whoever imports such a part later gets it all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class _Empty(ModuleType):
    """A module in which every name is None."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # the import system asks for these
        return None


@contextmanager
def absent(*missing: str, empty: tuple[str, ...] = ()) -> Iterator[None]:
    """Modules that are not to be found while the block is left open, unless they are there already.

    Args:
        missing: importing them raises ImportError, as where Python was built without them.
        empty: they can be imported, and every name in them is None.
    """
    stand_ins: Mapping[str, ModuleType | None] = dict.fromkeys(missing) | {name: _Empty(name) for name in empty}
    put = {name: stand_in for name, stand_in in stand_ins.items() if name not in sys.modules}
    sys.modules.update(put)  # type: ignore[arg-type]  # None is how the import system spells "not there"
    try:
        yield
    finally:
        for name in put:
            del sys.modules[name]
