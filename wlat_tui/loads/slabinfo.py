"""A monitoring agent that reads /proc/slabinfo."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from wlat_tui.loads import Option
from wlat_tui.units import parse_duration_ns

if TYPE_CHECKING:
    from wlat_tui.model.session import Session

FILE = Path("/proc/slabinfo")


@dataclass(frozen=True, slots=True)
class SlabinfoReader:
    """Opens, reads and closes /proc/slabinfo, as agents do.

    Printing it walks the partial slabs of every cache under the lock that a write() needs for a buffer head (mm/slub.c
    get_slabinfo; at most 10,000 of them since 6.10).
    """

    name: ClassVar[str] = "slabinfo"
    effect: ClassVar[str] = "reads /proc/slabinfo over and over, whose printing holds slab allocator locks"
    every_ns: int = 10_000_000

    @classmethod
    def options(cls) -> Mapping[str, Option]:
        return {"every": Option("every_ns", parse_duration_ns)}

    def unavailable(self, directory: Path) -> str | None:
        try:
            FILE.open("rb").close()
        except OSError as error:
            return f"{FILE} cannot be read here ({error.strerror}): only root may"
        return None

    def settled(self, session: Session) -> bool:
        return True

    def run(self) -> None:
        while True:
            with FILE.open("rb", buffering=0) as file:
                while file.read(1 << 16):
                    pass
            time.sleep(self.every_ns / 1e9)
